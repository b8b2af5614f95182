import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ReflectorModel

/// Answers viewers' GET and HEAD requests for streams, playlists, segments and the index page.
struct ViewerResponder: HTTPResponder {
    typealias Context = ViewerContext

    let hub: LiveStreamHub

    func respond(to request: Request, context: ViewerContext) async throws -> Response {
        hub.count("requests")
        if request.method == .options { return CrossOrigin.preflight(request) }
        guard request.method == .get || request.method == .head else {
            var response = Self.text(.methodNotAllowed, "Only GET, HEAD and OPTIONS are supported.")
            response.headers[.allow] = CrossOrigin.methods
            return CrossOrigin.allow(response)
        }
        let response: Response
        switch ViewerRequest(path: request.uri.path) {
        case .index: response = Self.body(IndexPage.html(hub.statistics()), type: "text/html; charset=utf-8", age: nil)
        case .progressive(let name): response = await progressive(name, request, context)
        case .playlist(let name): response = await playlist(name, context)
        case .segment(let name, let file): response = segment(name, file, context)
        case nil:
            hub.count("requests_not_found")
            response = Self.text(
                .notFound, "No such page. A stream is at /NAME.ts (MPEG-TS) or /NAME/index.m3u8 (HLS); see /.")
        }
        return CrossOrigin.allow(response)
    }

    // MARK: Progressive

    private func progressive(_ name: StreamName, _ request: Request, _ context: ViewerContext) async -> Response {
        let channel = context.channel
        guard await mayAsk(for: name, context) else { return tooManyNames(name) }
        let viewer: StreamViewer
        switch admit(to: name, isProgressive: true, evict: { channel.close(promise: nil) }) {
        case .success(let admitted): viewer = admitted
        case .failure(let refusal): return refused(refusal)
        }
        switch await viewer.next(deadline: context.arrival + hub.configuration.firstByteWait) {
        case .bytes where request.method == .head:
            viewer.leave()
            return Response(
                status: .ok, headers: [.contentType: "video/mp2t", .cacheControl: "no-store"],
                body: ResponseBody(contentLength: nil) { _ in })
        case .bytes(let first):
            refund(viewer, context)
            return Response(
                status: .ok,
                headers: [.contentType: "video/mp2t", .cacheControl: "no-store", .connection: "close"],
                body: body(of: viewer, first: first, request: request, context: context))
        case .over(let ending): return over(name, ending)
        case .timedOut, .playlist:
            hub.count("waits_timed_out")
            return Self.text(.gatewayTimeout, "Stream \(name) was requested, but nothing has arrived yet. Try again.")
        }
    }

    /// The stream from its first bytes on, until it ends or the viewer leaves.
    private func body(
        of viewer: StreamViewer, first: [ByteBuffer], request: Request, context: ViewerContext
    ) -> ResponseBody {
        ResponseBody { [hub] writer in
            defer { viewer.leave() }
            hub.count("viewers_progressive")
            let (stream, isCold) = (viewer.stream.name, viewer.isCold)
            // Without this, a viewer that leaves while the stream is silent would be noticed only at the next byte.
            try await request.body.consumeWithInboundCloseHandler { _ in
                try await writer.write(contentsOf: first)
                let milliseconds = (ContinuousClock.now - context.arrival) / .milliseconds(1)
                hub.count(isCold ? "viewers_first_byte_cold" : "viewers_first_byte_warm")
                hub.logger.info(
                    "viewer first-byte",
                    metadata: ["stream": "\(stream)", "cold": "\(isCold)", "ms": "\(Int(milliseconds))"])
                while let bytes = await viewer.next() { try await writer.write(contentsOf: bytes) }
            } onInboundClosed: {
                viewer.leave()
            }
            try await writer.finish(nil)
        }
    }

    // MARK: HLS

    private func playlist(_ name: StreamName, _ context: ViewerContext) async -> Response {
        guard await mayAsk(for: name, context) else { return tooManyNames(name) }
        let viewer: StreamViewer
        switch admit(to: name, isProgressive: false, evict: {}) {
        case .success(let admitted): viewer = admitted
        case .failure(let refusal): return refused(refusal)
        }
        defer { viewer.leave() }
        // A request that timed out also shows that someone wants the stream.
        viewer.stream.touch()
        // Two time-outs: the one for the stream's first byte is shorter than the one for its segments.
        let waited = await viewer.playlist(
            firstByte: context.arrival + hub.configuration.firstByteWait,
            deadline: context.arrival + hub.configuration.firstPlaylistWait)
        if !viewer.stream.isCold { refund(viewer, context) }
        switch waited {
        case .playlist(let text):
            viewer.stream.touch()
            if viewer.isCold {
                let milliseconds = (ContinuousClock.now - context.arrival) / .milliseconds(1)
                hub.logger.info(
                    "viewer first playlist", metadata: ["stream": "\(name)", "ms": "\(Int(milliseconds))"])
            }
            hub.count("playlists")
            return Self.body(text, type: "application/vnd.apple.mpegurl", age: 1)
        case .over(let ending): return over(name, ending)
        case .timedOut, .bytes:
            hub.count("waits_timed_out")
            return noPlaylist(viewer.stream)
        }
    }

    /// Says why there is no playlist yet, and when to retry.
    private func noPlaylist(_ stream: LiveStream) -> Response {
        let lack = stream.playlistLack
        var response: Response
        if lack.isCold {
            response = Self.text(
                .gatewayTimeout, "Stream \(stream.name) was requested, but nothing has arrived yet. Try again.")
        } else if let fault = lack.fault {
            response = Self.text(.gatewayTimeout, "Stream \(stream.name) has no segments: \(fault.text).")
        } else {
            response = Self.text(
                .serviceUnavailable,
                "Stream \(stream.name) has \(lack.seconds) s of segments; a player needs three target durations of"
                    + " \(lack.targetSeconds) s to start. Try again.")
        }
        response.headers[.retryAfter] = "\(max(lack.targetSeconds, 1))"
        return response
    }

    private func segment(_ name: StreamName, _ file: SegmentName, _ context: ViewerContext) -> Response {
        guard let segment = hub.segments(of: name)?.segment(file) else {
            hub.count("segments_not_found")
            return Self.text(.notFound, "No such segment: expired or not there yet. See /\(name)/index.m3u8.")
        }
        hub.existing(name)?.touch()
        hub.count("segments")
        let headers: HTTPFields = [
            .contentType: "video/mp2t", .cacheControl: "public, max-age=\(hub.configuration.segmentTargetSeconds * 6)",
            .contentLength: "\(segment.byteCount)",
        ]
        let body = ResponseBody(contentLength: segment.byteCount) { [hub] writer in
            // A viewer that does not read would hold the segment's memory and its connection forever.
            let channel = context.channel
            let limit = channel.eventLoop.scheduleTask(in: TimeAmount(hub.configuration.segmentTransferMax)) {
                hub.count("segments_too_slow")
                channel.close(promise: nil)
            }
            defer { limit.cancel() }
            for bytes in segment.bytes {
                try await writer.write(bytes)
                // The writer accepts everything until the connection has reported that it is full, so wait for that
                // report first.
                try await channel.eventLoop.submit {}.get()
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    // MARK: Answers

    private func admit(
        to name: StreamName, isProgressive: Bool, evict: @escaping @Sendable () -> Void
    ) -> Result<StreamViewer, LiveStreamHub.Refusal> {
        Result { () throws(LiveStreamHub.Refusal) in
            try hub.admit(to: name, isProgressive: isProgressive, evict: evict)
        }
    }

    private func refused(_ refusal: LiveStreamHub.Refusal) -> Response {
        hub.count("viewers_refused")
        let why =
            switch refusal {
            case .viewersMax: "This edge is at its limit of viewers."
            case .streamsMax: "This edge is at its limit of streams."
            case .shuttingDown: "This edge is shutting down."
            }
        var response = Self.text(.serviceUnavailable, why)
        response.headers[.retryAfter] = "5"
        return response
    }

    private func over(_ name: StreamName, _ ending: LiveStreamState.Ending) -> Response {
        switch ending {
        case .unavailable(let reason):
            hub.count("streams_unavailable")
            return Self.text(.notFound, "Stream \(name) does not exist: \(reason)")
        case .outOfReach(let reason):
            hub.count("streams_out_of_reach")
            var response = Self.text(.serviceUnavailable, "Stream \(name) is not available now: \(reason)")
            response.headers[.retryAfter] = "2"
            return response
        case .ended(let reason):
            hub.count("streams_ended")
            return Self.text(.serviceUnavailable, "Stream \(name) has just ended: \(reason)")
        }
    }

    static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        var response = body(text + "\n", type: "text/plain; charset=utf-8", age: nil)
        response.status = status
        return response
    }

    /// - Parameter age: seconds that caches may keep the answer; nil for none.
    private static func body(_ text: String, type: String, age: Int?) -> Response {
        let buffer = ByteBuffer(string: text)
        let headers: HTTPFields = [
            .contentType: type, .cacheControl: age.map { "max-age=\($0)" } ?? "no-store",
            .contentLength: "\(buffer.readableBytes)",
        ]
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: buffer))
    }
}
