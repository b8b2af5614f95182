import DatagramIO
import NodeIdentity
import Synchronization

/// Passes revocation lists to a node's loop. The watch is made before the loop runs, because the node starts with the
/// list that the watch has restored; until the loop is connected, lists are dropped.
final class ListsOnTheirWay: Sendable {
    private let target = Mutex<(@Sendable (RevocationList) -> Void)?>(nil)

    func connect(to shell: LoopBound<NodeShell>, on loop: DatagramLoop) {
        target.withLock { target in
            target = { list in _ = loop.execute { shell.value.take(list) } }
        }
    }

    func pass(_ list: RevocationList) { target.withLock { $0 }?(list) }
}
