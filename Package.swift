// swift-tools-version: 6.2
// Reflector: a live-stream transport network steered by DNS. One executable, `reflector`, over small targets
// whose imports point one way only (tools/check-arrows keeps it so).
import PackageDescription

let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

/// For code that runs for every packet: no run-time check that no two accesses to a variable overlap, since it took a
/// quarter of the time spent in our own code. The compiler's own check stays, and a debug build checks everything.
let hotPath: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// For tests that spend little time in their own code: no optimization, which halves their compile time. The code under
/// test is still optimized.
let testsOnly: [SwiftSetting] = [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let package = Package(
    name: "reflector",
    products: [
        .executable(name: "reflector", targets: ["reflector"]),
        .library(name: "ReflectorDNS", targets: ["DNSService", "ZoneCompiler", "DNSAnswers"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Pure cores: no Foundation, NIO, clock, random source or logger.
        .target(name: "ReflectorModel"),
        .target(
            name: "RelayWire", dependencies: ["NodeIdentity", "ReflectorModel"], exclude: ["WireFormat.md"]),
        .target(
            name: "RelayCore", dependencies: ["NodeIdentity", "ReflectorModel", "RelayWire", collections, heap],
            swiftSettings: hotPath),
        .target(name: "DNSAnswers", dependencies: ["ReflectorModel"]),
        .target(
            name: "NodeIdentity", dependencies: ["ReflectorModel"], exclude: ["Handshake/Handshake.md"]),

        // The C edge.
        .systemLibrary(name: "CLDNS", pkgConfig: "ldns", providers: [.apt(["libldns-dev"])]),
        .target(name: "LDNSKit", dependencies: ["CLDNS"]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "PacketSealing",
            dependencies: ["CCrypto", "IdentityKeys", "NodeIdentity", "RelayWire", "ReflectorModel"]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "HTTPFetching", dependencies: ["CCurl", nioCore, nioHTTP]),
        .target(name: "CSecretFiles"),
        .target(name: "SecretFiles", dependencies: ["CSecretFiles"]),
        .target(
            name: "IdentityKeys", dependencies: ["CCrypto", "NodeIdentity", "SecretFiles", "ReflectorModel"]),
        .target(name: "TransactionSigning", dependencies: ["CCrypto", "SecretFiles"]),
        .target(name: "ZoneCompiler", dependencies: ["LDNSKit", "DNSAnswers", "NodeIdentity", "ReflectorModel"]),

        // The shell.
        .target(name: "CDatagram"),
        .target(
            name: "DatagramIO", dependencies: ["CDatagram", "ReflectorModel"]),
        .target(
            name: "DNSService",
            dependencies: [
                "DNSAnswers", "ZoneCompiler", "TransactionSigning", "DatagramIO", "RelayWire", "PacketSealing",
                "NodeIdentity", "IdentityKeys", "SecretFiles", "ReflectorModel",
                log, nioCore, nioPosix,
            ]),
        .target(
            name: "RelayService",
            dependencies: [
                "RelayCore", "RelayWire", "PacketSealing", "SecretFiles", "DatagramIO", "LDNSKit", "HTTPFetching",
                "IdentityKeys", "NodeIdentity", "ReflectorModel",
                histogram, log, nioCore, nioPosix, nioHTTP,
            ]),
        .target(
            name: "HTTPServing",
            dependencies: ["ReflectorModel", hummingbird, lifecycle, log, nioCore, nioHTTP, nioPosix]),
        .target(
            name: "StreamingServer",
            dependencies: [
                "HTTPServing", "ReflectorModel", hummingbird, lifecycle, log, nioCore, nioPosix, collections,
            ]),
        .target(
            name: "StreamHandover",
            dependencies: [
                "HTTPServing", "StreamingServer", "DatagramIO", "ReflectorModel", hummingbird, lifecycle, log, nioCore,
            ]),
        .target(
            name: "OpsEndpoint",
            dependencies: [
                "HTTPServing", "HTTPFetching", "ReflectorModel", hummingbird, lifecycle, log, nioCore, nioHTTP,
                nioPosix,
            ]),
        .target(
            name: "LocalNetwork",
            dependencies: [
                "DNSAnswers", "DatagramIO", "HTTPFetching", "OpsEndpoint", "RelayService", "IdentityKeys",
                "NodeIdentity",
                "ReflectorModel", nioCore, nioPosix,
            ]),
        .executableTarget(
            name: "reflector",
            dependencies: [
                "LocalNetwork",
                "DNSService", "RelayService", "StreamingServer", "StreamHandover", "OpsEndpoint", "ZoneCompiler",
                "TransactionSigning",
                "DNSAnswers", "HTTPFetching",
                "ReflectorSimulation", "DatagramIO", "ReflectorModel", "RelayCore", "PacketSealing", "NodeIdentity",
                "IdentityKeys", "SecretFiles",
                argumentParser, log, lifecycle, signals, hummingbird, nioCore, nioPosix, heap,
            ]),

        // Tests, and the simulator they share with `reflector simulate`.
        .target(
            name: "ReflectorSimulation",
            dependencies: ["RelayCore", "RelayWire", "NodeIdentity", "ReflectorModel", heap],
            swiftSettings: hotPath),
        .testTarget(name: "ReflectorModelTests", dependencies: ["ReflectorModel"]),
        .testTarget(
            name: "NodeIdentityTests",
            dependencies: ["NodeIdentity", "IdentityKeys", "SecretFiles", "ReflectorSimulation", "ReflectorModel"],
            swiftSettings: testsOnly),
        .testTarget(
            name: "RelayWireTests",
            dependencies: ["RelayWire", "PacketSealing", "IdentityKeys", "NodeIdentity", "ReflectorModel"],
            swiftSettings: testsOnly),
        .testTarget(
            name: "RelayCoreTests",
            dependencies: [
                "RelayCore", "RelayWire", "NodeIdentity", "ReflectorSimulation", "CAllocations", "ReflectorModel",
            ], swiftSettings: testsOnly),
        .testTarget(
            name: "SimulationTests", dependencies: ["ReflectorSimulation", "RelayCore", "ReflectorModel"],
            swiftSettings: testsOnly),
        .testTarget(
            name: "DNSAnswersTests", dependencies: ["DNSAnswers", "LDNSKit", "CAllocations", "ReflectorModel"]),
        .testTarget(
            name: "ZoneCompilerTests",
            dependencies: [
                "ZoneCompiler", "LDNSKit", "DNSAnswers", "NodeIdentity", "ReflectorModel", "TestSupport",
                "TestIdentities",
            ],
            swiftSettings: testsOnly),
        .target(name: "CAllocations", path: "Tests/CAllocations"),
        .executableTarget(
            name: "dns-bench", dependencies: ["DNSAnswers", "ZoneCompiler", "CAllocations", "ReflectorModel"],
            path: "tools/bench/DNSBench"),
        .executableTarget(name: "dns-load", path: "tools/bench/DNSLoad"),
        .testTarget(name: "TransactionSigningTests", dependencies: ["TransactionSigning", "CLDNS"]),
        .executableTarget(
            name: "relay-bench",
            dependencies: [
                "RelayCore", "RelayWire", "RelayService", "PacketSealing", "DatagramIO", "ReflectorModel",
                "IdentityKeys", "NodeIdentity", "CAllocations", argumentParser, log, nioCore, nioPosix,
            ],
            path: "tools/bench/RelayBench"),
        .executableTarget(name: "relay-floor", path: "tools/bench/RelayFloor"),
        .testTarget(name: "DatagramIOTests", dependencies: ["DatagramIO", "CAllocations", "ReflectorModel"]),
        .testTarget(
            name: "HTTPFetchingTests", dependencies: ["HTTPFetching", "TestSupport", nioCore, nioHTTP],
            swiftSettings: testsOnly),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .target(
            name: "TestIdentities", dependencies: ["NodeIdentity", "IdentityKeys"], path: "Tests/TestIdentities"),
        .target(
            name: "DNSTestClient", dependencies: ["DNSService", "LDNSKit", "TestSupport", log],
            path: "Tests/DNSTestClient"),
        .testTarget(
            name: "DNSServiceTests",
            dependencies: [
                "DNSService", "DNSTestClient", "LDNSKit", "ZoneCompiler", "TransactionSigning", "DNSAnswers",
                "DatagramIO", "RelayCore", "RelayWire", "PacketSealing", "NodeIdentity", "IdentityKeys",
                "ReflectorSimulation", "ReflectorModel", "TestSupport", "TestIdentities", log,
            ], swiftSettings: testsOnly),
        .testTarget(
            name: "RelayServiceTests",
            dependencies: [
                "RelayService", "RelayCore", "PacketSealing", "SecretFiles", "LDNSKit", "NodeIdentity",
                "ReflectorModel", "TestSupport", "TestIdentities",
                log, nioCore, nioPosix,
            ], swiftSettings: testsOnly),
        .testTarget(
            name: "StreamingServerTests",
            dependencies: [
                "StreamingServer", "OpsEndpoint", "HTTPServing", "HTTPFetching", "ReflectorModel", "TestSupport", log,
                nioCore,
            ], swiftSettings: testsOnly),
        .testTarget(
            name: "StreamHandoverTests",
            dependencies: [
                "StreamHandover", "StreamingServer", "DatagramIO", "HTTPFetching", "ReflectorModel", "TestSupport", log,
                nioCore,
            ], swiftSettings: testsOnly),
        .testTarget(
            name: "ConformanceTests",
            dependencies: [
                "DNSService", "DNSTestClient", "ZoneCompiler", "TransactionSigning", "DNSAnswers", "LDNSKit",
                "NodeIdentity", "ReflectorModel", "TestSupport", "TestIdentities", log,
            ], swiftSettings: testsOnly),
        .testTarget(
            name: "ProcessTests",
            dependencies: [
                "reflector", "DatagramIO", "DNSService", "OpsEndpoint", "RelayService", "DNSTestClient", "LDNSKit",
                "LocalNetwork", "IdentityKeys", "NodeIdentity", "SecretFiles", "ReflectorModel", "TestSupport",
                "TestIdentities", log,
                nioCore, nioPosix,
            ], swiftSettings: testsOnly),
    ],
    swiftLanguageModes: [.v6]
)
