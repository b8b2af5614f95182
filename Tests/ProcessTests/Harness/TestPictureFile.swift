import Foundation
import Testing

@testable import LocalNetwork

/// The test picture, encoded once and kept for later runs.
enum TestPictureFile {
    static let path: String = {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("reflector-test-picture-v1.ts").path
        guard !FileManager.default.fileExists(atPath: path) else { return path }
        let part = path + ".\(ProcessInfo.processInfo.processIdentifier)"
        let result = try? Program.run("ffmpeg", TestPicture.encodeArguments(to: part), seconds: 60)
        #expect(result?.code == 0, "ffmpeg: \(result?.errors ?? "not found")")
        try? FileManager.default.moveItem(atPath: part, toPath: path)
        return path
    }()
}
