import Hummingbird
import NIOCore

/// What a response needs in addition to the request: the connection, to close it if the viewer is stuck, and the time
/// of the request.
struct ViewerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let arrival = ContinuousClock.now

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
