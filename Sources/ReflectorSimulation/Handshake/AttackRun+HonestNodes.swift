import NodeIdentity
import ReflectorModel

/// Honest nodes: they do what their state machines say.
extension AttackRun {
    mutating func begin(_ index: Int) {
        let targets = [2, 3, 4].filter { $0 != index }
        begin(index, to: nodes[random.element(of: targets) ?? 3].node, renewing: nil)
    }

    /// Begins to give new keys to a link of an honest child.
    mutating func renew() {
        guard let view = pick(childViews), let index = nodes.firstIndex(where: { $0.node == view.own }) else { return }
        begin(index, to: view.peer, renewing: view.link)
        if isLucky() { deliverAll() }
    }

    /// Delivers the newest handshake undisturbed, as far as it gets.
    mutating func deliverAll() {
        guard let child = children.last, let parent = nodes.firstIndex(where: { $0.node == child.target }),
            let cookie = try? parents[parent]?.cookie(for: child.handshake.hello, from: Self.address, at: now)
        else { return }
        cookies.append(cookie)
        makers[cookie.cookie.mac] = child.target
        toChildren(cookie)
        guard let open = opens.last, open.nonce == cookie.nonce else { return }
        toParent(open)
        guard let opened = openeds.last, opened.nonce == cookie.nonce else { return }
        toChildren(opened)
    }

    private mutating func begin(_ index: Int, to target: NodeID, renewing link: Int?) {
        let handshake = ChildHandshake(
            SymbolicCrypto(world: world, actor: index), credential: nodes[index], parent: target,
            nonce: world.fixed(), request: payload(of: link.flatMap { childTokens[$0] } ?? 0))
        children.append(Child(node: index, target: target, handshake: handshake, renews: link))
        hellos.append(handshake.hello)
    }

    /// The payload that has only a token.
    func payload(of token: UInt64) -> [UInt8] { withUnsafeBytes(of: token.bigEndian) { Array($0) } }

    private func token(in payload: [UInt8]) -> UInt64 { payload.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    mutating func newLink() -> Int {
        lastLink += 1
        return lastLink
    }

    mutating func deliverHello() {
        guard let hello = pick(hellos), let index = random.element(of: parents.keys.sorted()) else {
            return
        }
        // Every other time the parent that the child wants.
        let wanted = children.last { $0.handshake.hello == hello }?.target
        let right = isLucky() ? nodes.firstIndex { $0.node == wanted } : nil
        let parent = right ?? index
        let from = someAddress()
        if let cookie = try? parents[parent]?.cookie(for: hello, from: from, at: now) {
            cookies.append(cookie)
            makers[cookie.cookie.mac] = nodes[parent].node
        }
    }

    mutating func toChildren(_ cookie: CookieMessage) {
        // Others refuse it at once (`otherNonce`).
        for index in children.indices where children[index].handshake.hello.nonce == cookie.nonce {
            guard let open = try? children[index].handshake.receive(cookie) else { continue }
            children[index].epochKey = cookie.epochKey
            opens.append(open)
        }
    }

    mutating func toChildren(_ opened: OpenedMessage) {
        for index in children.indices
        where children[index].handshake.hello.nonce == opened.nonce && !children[index].isRefused {
            guard
                let link = try? children[index].handshake.receive(opened, trust: &trust, at: AttackedZone.now)
            else { continue }
            let child = children[index]
            let number = child.renews ?? newLink()
            if child.renews != nil { report.renewals += 1 }
            childTokens[number] = token(in: link.payload)
            childViews.append(
                View(
                    own: nodes[child.node].node, peer: link.peer.content.node, target: child.target,
                    secrets: link.secrets, link: number))
        }
    }

    mutating func toChildren(_ refused: RefusedMessage) {
        for index in children.indices
        where children[index].handshake.hello.nonce == refused.nonce && !children[index].isRefused {
            guard let reason = try? children[index].handshake.receive(refused) else { continue }
            children[index].isRefused = true
            check(refused, reason, for: children[index])
        }
    }

    mutating func toParent(_ open: OpenMessage) {
        let from = someAddress()
        let maker = makers[open.cookie.mac]
        let isWide = random.number(below: 8) == 0
        for index in parents.keys.sorted() where isWide || nodes[index].node == maker {
            let outcome = try? parents[index]?.receive(
                open, from: from, trust: &trust, at: now, seconds: AttackedZone.now)
            switch outcome {
            case .accepted(let accepted): answer(accepted, to: open, by: index)
            case .repeated(let opened): openeds.append(opened)
            case .refused(let refused, _): note(refused, by: index)
            case nil: continue
            }
        }
    }

    /// Lets a child in, under the number of the link that it renews, if that is its own. Now and then the parent refuses
    /// it instead.
    private mutating func answer(
        _ accepted: ParentHandshake<SymbolicCrypto>.AcceptedOpen, to open: OpenMessage, by index: Int
    ) {
        if random.number(below: 6) == 0 {
            let reason: HandshakeRefusal = isLucky() ? .tableFull : .identity
            if let refused = try? parents[index]?.refuse(accepted, reason) { note(refused, by: index) }
            return
        }
        let token = random.next() | 1
        let granted = payload(of: token)
        guard let (opened, link) = try? parents[index]?.answer(accepted, payload: granted) else { return }
        let peer = link.peer.content.node
        let old = parentLinks[self.token(in: accepted.payload)]
        let number = old.flatMap { $0.parent == index && $0.child == peer ? $0.link : nil } ?? newLink()
        parentLinks[token] = ParentLink(parent: index, child: peer, link: number)
        openeds.append(opened)
        parentViews.append(
            View(own: nodes[index].node, peer: peer, target: nil, secrets: link.secrets, link: number))
    }

    private mutating func note(_ refused: RefusedMessage, by index: Int) {
        refuseds.append(refused)
        refusals[refused.mac] = Refusal(by: nodes[index].node, reason: refused.reason, nonce: refused.nonce)
    }
}
