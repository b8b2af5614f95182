import ArgumentParser
import Foundation
import ReflectorSimulation

/// Reads the file that `--trace-file` names.
enum TraceFile {
    /// The file's format, for the commands' help.
    static let help = """
        A trace file has one step per line, which applies until the next. The last one applies to the end, or until \
        the time of a 'loop' line, which repeats the trace. '-' is none; a burst in ms is a period of total loss:
          # seconds  loss %  burst  delay ms  jitter ms  rate kbit/s
          0          0       -      20
          12.5       30      5      20        4          8000
          22.5       2       30ms   60
          60         loop
        """

    /// Largest file that is read.
    private static let bytesMax = 16 << 20

    /// The trace in a file.
    ///
    /// - Throws: exit status 2, after all problems were printed.
    static func read(_ path: String) throws -> ImpairmentTrace {
        let text: String
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            let bytes = try handle.read(upToCount: bytesMax + 1) ?? Data()
            guard bytes.count <= bytesMax else { throw TooLong() }
            text = String(decoding: bytes, as: UTF8.self)
        } catch {
            let reason = error is TooLong ? "longer than 16 MB" : "cannot be read"
            StandardError.print("reflector: --trace-file: \(path): \(reason)")
            throw ExitCode(2)
        }
        do throws(ImpairmentTraceProblems) {
            return try ImpairmentTrace(text, file: path)
        } catch {
            StandardError.print(error.description)
            throw ExitCode(2)
        }
    }

    private struct TooLong: Error {}
}
