import DNSAnswers
import ReflectorModel

/// The function that libFuzzer calls with every input: the first byte chooses transport, privilege and time, the rest
/// is the query. An unreadable or too long reply ends the run.
@_cdecl("LLVMFuzzerTestOneInput")
public func queryTarget(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard size > 0 else { return 0 }
    let choice = data[0]
    let exchange = QueryTarget.exchange
    let transport: Responder.Transport = choice & 1 == 0 ? .udp : .tcp
    exchange.instant = MonotonicInstant(nanoseconds: exchange.instant.nanoseconds + Int64(choice >> 3) << 20)
    let message = Array(UnsafeBufferPointer(start: data + 1, count: size - 1))
    let reply = exchange.send(message, over: transport, privileged: choice & 2 != 0, exempt: choice & 4 != 0)
    guard !reply.isEmpty else { return 0 }
    do {
        let read = try Exchange.read(reply)
        precondition(transport == .tcp || reply.count <= (read.opt == nil ? 512 : AnswerEngine.udpSizeMax))
        precondition(!read.isTruncated || read.answers.isEmpty)
    } catch {
        fatalError("\(error)")
    }
    return 0
}

private enum QueryTarget {
    /// libFuzzer runs one thread.
    nonisolated(unsafe) static let exchange: Exchange = {
        guard let engine = try? ExampleZone.engine() else { fatalError("the example zone is not valid") }
        let exchange = Exchange(engine, limiter: .init(answersPerSecond: 100, buckets: 64))
        exchange.cookies = ServerCookies.Secret([UInt8](repeating: 7, count: 16)).flatMap { ServerCookies([$0]) }
        exchange.now = 1_700_000_000
        return exchange
    }()
}
