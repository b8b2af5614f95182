import DNSAnswers
import DatagramIO
import Glibc
import ReflectorModel

/// The messages of a connection: two bytes of length, then the message (RFC 1035 §4.2.2).
extension TCPLoop {
    /// How many times a transfer may fill the buffer before other connections get their turn.
    private static let fillingsPerVisit = 2

    /// Answers every complete message in `bytes`, which may be in the loop's buffer, and keeps the rest.
    func answer(_ connection: TCPConnection, _ bytes: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        responder.now = WallClock.seconds
        var position = 0
        var used = 0
        var hasAnswered = false
        while position + 2 <= bytes.count {
            let length = Int(bytes[position]) << 8 | Int(bytes[position + 1])
            guard position + 2 + length <= bytes.count else { break }
            if Self.outputBytes - used < 2 + Self.lengthMax {
                guard write(connection, used, at: now) else { return keep(connection, bytes[position...]) }
                used = 0
                if connection.state == .writing { return keep(connection, bytes[position...]) }
            }
            let message = UnsafeRawBufferPointer(rebasing: bytes[(position + 2)..<(position + 2 + length)])
            position += 2 + length
            hasAnswered = true
            let room = UnsafeMutableRawBufferPointer(rebasing: output[(used + 2)..<(used + 2 + Self.lengthMax)])
            var size = responder.answer(
                message, from: connection.address, over: .tcp, isPrivileged: connection.isPrivileged, into: room)
            if size < 0 {
                switch requestHandler.handle(
                    Array(message), over: .tcp, from: connection.address, isPrivileged: connection.isPrivileged,
                    &responder)
                {
                case .drop: size = 0
                case .reply(let reply):
                    room.copyBytes(from: reply)
                    size = reply.count
                case .transfer(let client, let zone):
                    guard used == 0 || write(connection, used, at: now) else { return }
                    keep(connection, bytes[position...])
                    return begin(client, zone: zone, on: connection, at: now)
                }
            }
            guard size > 0 else { continue }
            output[used] = UInt8(size >> 8)
            output[used + 1] = UInt8(size & 255)
            used += 2 + size
        }
        if used > 0 {
            guard write(connection, used, at: now) else { return }
            if connection.state == .writing { return keep(connection, bytes[position...]) }
        }
        keep(connection, bytes[position...])
        guard self.connection(connection.tag) != nil else { return }
        // A message's time limit starts at its first byte.
        if position < bytes.count {
            if connection.state != .reading || hasAnswered { enter(.reading, connection, at: now) }
        } else {
            enter(.idle, connection, at: now)
        }
    }

    private func keep(_ connection: TCPConnection, _ rest: Slice<UnsafeRawBufferPointer>) {
        guard self.connection(connection.tag) != nil, !rest.isEmpty else { return }
        connection.input = Array(rest)
        buffered(connection, rest.count)
    }

    private func buffered(_ connection: TCPConnection, _ count: Int) {
        bufferedBytes += count
        guard bufferedBytes > limits.bufferedBytesMax else { return }
        self.count(.overfull)
        close(connection)
    }

    // MARK: Writing

    /// Writes the first bytes of the output buffer; the connection keeps what the kernel does not accept. False if the
    /// connection was closed.
    private func write(_ connection: TCPConnection, _ count: Int, at now: MonotonicInstant) -> Bool {
        if !connection.output.isEmpty {
            // Append to the output that is already waiting.
            connection.output += UnsafeRawBufferPointer(rebasing: output[..<count])
            if connection.state != .writing { enter(.writing, connection, at: now) }
            buffered(connection, count)
            return self.connection(connection.tag) != nil
        }
        var done = 0
        while done < count {
            switch connection.socket.write(UnsafeRawBufferPointer(rebasing: output[done..<count])) {
            case .moved(let bytes): done += bytes
            case .blocked:
                connection.output = Array(UnsafeRawBufferPointer(rebasing: output[done..<count]))
                connection.outputStart = 0
                enter(.writing, connection, at: now)
                buffered(connection, count - done)
                return self.connection(connection.tag) != nil
            case .ended, .failed:
                close(connection)
                return false
            }
        }
        return true
    }

    /// Continues to write the waiting output; called when the socket is writable again.
    func resume(_ connection: TCPConnection, at now: MonotonicInstant) {
        while connection.outputStart < connection.output.count {
            let outcome = connection.output.withUnsafeBytes {
                connection.socket.write(UnsafeRawBufferPointer(rebasing: $0[connection.outputStart...]))
            }
            switch outcome {
            case .moved(let bytes):
                connection.outputStart += bytes
                connection.since = now
            case .blocked: return enter(.writing, connection, at: now)
            case .ended, .failed: return close(connection)
            }
        }
        bufferedBytes -= connection.output.count
        connection.output = []
        connection.outputStart = 0
        if connection.transfer != nil { return sendTransfer(connection, at: now) }
        enter(.idle, connection, at: now)
        goOn(connection, at: now)
    }

    // MARK: Transfers

    private func begin(
        _ client: OutgoingTransfer.Client, zone: String, on connection: TCPConnection, at now: MonotonicInstant
    ) {
        guard self.connection(connection.tag) != nil else { return }
        guard transfers < limits.transfersMax else {
            return answerInstead(requestHandler.busy(client, now: responder.now), connection, at: now)
        }
        transfers += 1
        enter(.planning, connection, at: now)
        let tag = connection.tag
        let (loop, sources) = (loop, sources)
        let bound = LoopBound(current: self, loop: loop)
        Task {
            let plan = await sources.plan(zone: zone, clientSerial: client.request.clientSerial)
            loop.execute { bound.value.begin(plan, for: client, tag: tag) }
        }
    }

    private func begin(_ plan: TransferSources.Plan, for client: OutgoingTransfer.Client, tag: UInt32) {
        guard let connection = connection(tag), connection.state == .planning else { return }
        let now = loop.now
        responder.now = WallClock.seconds
        switch plan {
        case .send(let kind), .fallback(let kind):
            if case .fallback = plan { requestHandler.log.add(.fallback) }
            connection.transfer = OutgoingTransfer(kind, for: client)
            enter(.writing, connection, at: now)
            sendTransfer(connection, at: now)
        case .tooLarge, .unknown:
            transfers -= 1
            enter(.idle, connection, at: now)
            answerInstead(requestHandler.failure(client, plan, now: responder.now), connection, at: now)
        }
    }

    private func answerInstead(_ reply: [UInt8]?, _ connection: TCPConnection, at now: MonotonicInstant) {
        guard let reply else { return close(connection) }
        guard write(connection, put(reply, at: 0), at: now), connection.state != .writing else { return }
        enter(.idle, connection, at: now)
        goOn(connection, at: now)
    }

    /// Writes a message with its length field into the output buffer. Returns the offset at which the message ends.
    private func put(_ message: [UInt8], at start: Int) -> Int {
        output[start] = UInt8(message.count >> 8)
        output[start + 1] = UInt8(message.count & 255)
        UnsafeMutableRawBufferPointer(rebasing: output[(start + 2)...]).copyBytes(from: message)
        return start + 2 + message.count
    }

    /// Generates messages until the socket accepts no more, but not so many that other connections wait.
    private func sendTransfer(_ connection: TCPConnection, at now: MonotonicInstant) {
        let seconds = WallClock.seconds
        for _ in 0..<Self.fillingsPerVisit {
            var used = 0
            while Self.outputBytes - used >= 2 + Self.lengthMax, let message = connection.transfer?.next(now: seconds) {
                used = put(message, at: used)
            }
            guard used > 0 else { break }
            guard write(connection, used, at: now) else { return }
            if !connection.output.isEmpty { return }
        }
        guard connection.transfer?.isDone == true else { return enter(.writing, connection, at: now) }
        endTransfer(connection, isWhole: true)
        enter(.idle, connection, at: now)
        goOn(connection, at: now)
    }

    func endTransfer(_ connection: TCPConnection, isWhole: Bool) {
        transfers -= 1
        guard let transfer = connection.transfer else { return }
        connection.transfer = nil
        guard isWhole else { return requestHandler.log.add(.broken) }
        switch transfer.kind {
        case .whole: requestHandler.log.add(.whole)
        case .changes: requestHandler.log.add(.changes)
        case .nothing: requestHandler.log.add(.current)
        }
        requestHandler.log.completed(
            NameServer.Secondary(
                address: connection.address.description, zone: transfer.kind.zone.zone,
                serial: transfer.kind.zone.serial, at: WallClock.seconds, kind: transfer.kind.name,
                records: transfer.records, bytes: transfer.bytes, key: transfer.client.session?.key.text))
    }
}
