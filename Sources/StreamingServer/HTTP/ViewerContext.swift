import Hummingbird
import NIOCore

/// What a response needs to know beside the request: the connection, to close it on a viewer that is stuck, and when
/// the request came.
struct ViewerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let arrival = ContinuousClock.now

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
