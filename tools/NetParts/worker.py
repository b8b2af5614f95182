"""A process of its own that runs an event loop and answers questions: its timing must not wait for who asks."""

import multiprocessing
import selectors
import signal
import time


class Loop:
    """Sockets and timers of a worker, on one thread."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers: list[tuple[float, object]] = []

    def watch(self, file, events: int, body):
        try:
            self.selector.modify(file, events, body)
        except KeyError:
            self.selector.register(file, events, body)

    def forget(self, file):
        try:
            self.selector.unregister(file)
        except (KeyError, ValueError):
            pass

    def after(self, seconds: float, body):
        self.timers.append((time.monotonic() + seconds, body))

    def turn(self, until: float):
        """Waits for events until `until` at the latest, and runs what is due."""
        due = min([until] + [at for at, _ in self.timers])
        for key, events in self.selector.select(max(due - time.monotonic(), 0)):
            key.data(events)
        now = time.monotonic()
        ready = [body for at, body in self.timers if at <= now]
        self.timers = [timer for timer in self.timers if timer[0] > now]
        for body in ready:
            body()


class Worker:
    """Runs `make(loop, *arguments)` in a new process; `ask` calls a method of the object there."""

    def __init__(self, make, *arguments):
        # By fork, so that arguments need not be copied, and descriptors stay open.
        forking = multiprocessing.get_context("fork")
        ours, theirs = forking.Pipe()
        self.pipe = ours
        self.process = forking.Process(target=serve, args=(theirs, make, arguments), daemon=True)
        self.process.start()
        # So that its end is noticed.
        theirs.close()

    def ask(self, method: str, *arguments):
        self.pipe.send((method, arguments))
        if not self.pipe.poll(10):
            raise RuntimeError(f"a process that measures does not answer '{method}'")
        try:
            return self.pipe.recv()
        except EOFError:
            raise RuntimeError(f"a process that measures has ended, asked for '{method}'") from None

    def end(self):
        self.process.kill()
        self.process.join()


def serve(pipe, make, arguments):
    # Ctrl-C is for the process that started us; it ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop = Loop()
    served = make(loop, *arguments)

    def answer(_):
        method, arguments = pipe.recv()
        pipe.send(getattr(served, method)(*arguments))

    loop.watch(pipe, selectors.EVENT_READ, answer)
    while True:
        loop.turn(served.tick())
