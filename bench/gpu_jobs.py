"""Jobs in processes of their own, many at once, with a lock for each GPU and an end in time. For gpu_peers.py.

A job runs in a fork, at the head of a process group and at low priority; what it prints goes to a file, what it found comes through a pipe. The
group dies with it, so that no compile worker outlives its job; it stays in the session, since Linux may weigh priorities within a session only.
"""
import contextlib
import ctypes
import fcntl
import json
import math
import os
import pathlib
import selectors
import signal
import sys
import threading
import time
import traceback

NICE = 15  # of jobs that compile; one that measures asks for 0
MEASURING = "measuring"


class OutOfMemory(BaseException):
    """Memory that others have. Not an Exception, so that a compiler that passes over what fails doesn't pass over this."""


def out_of_memory(error):
    """Whether an exception says that the GPU's memory ran out. What Triton calls "out of resource" is a block's shared memory, more than any has: that
    is no choice, whoever else is there."""
    text = f"{type(error).__name__} {error}".lower()
    if "out of resource" in text or "hardware limit" in text:
        return False
    return any(words in text for words in ("outofmemory", "out of memory", "alloc_failed"))


class Lock:
    """A GPU, for one process at a time: flock on a file, so that whatever dies lets go. A thread that has it may take it again.

    Whoever lets go doesn't get it again before one that waits: to take it one first passes a second file, in which the next one stands.
    `held` and `waited` are the seconds so far."""

    def __init__(self, path):
        self.path, self.mutex, self.depth, self.owner = pathlib.Path(path), threading.RLock(), 0, None
        self.held = self.waited = self.since = 0.0
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        self.mutex.acquire()
        if not self.depth:
            start = time.perf_counter()
            self.file, gate = (os.open(f"{self.path}{end}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666) for end in ("", ".gate"))
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(self.file, fcntl.LOCK_EX)
            os.close(gate)
            self.owner, self.since = threading.get_ident(), time.perf_counter()
            self.waited += self.since - start
        self.depth += 1
        return self

    def __exit__(self, *_):
        self.depth -= 1
        if not self.depth:
            self.held += time.perf_counter() - self.since
            self.owner = None
            fcntl.flock(self.file, fcntl.LOCK_UN)  # closing alone wouldn't, where a fork has the file too
            os.close(self.file)
        self.mutex.release()

    @contextlib.contextmanager
    def released(self):
        """Lets others have it within, if this thread holds it."""
        depth = self.depth if self.owner == threading.get_ident() else 0
        for _ in range(depth):
            self.__exit__()
        try:
            yield
        finally:
            for _ in range(depth):
                self.__enter__()


def go_first():
    """Takes this thread, and those that it starts from now on, out of the low priority; False where that isn't allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        return True
    except OSError:
        return False


class Running:
    """A job's process, as the parent sees it."""

    def __init__(self, job, lane, alone, pid, pipe, log):
        self.job, self.lane, self.alone, self.pid, self.pipe, self.log = job, lane, alone, pid, pipe, log
        self.text, self.open, self.stopped, self.failure, self.oom, self.phase = b"", True, None, None, None, None
        self.shared = False  # whether its lane ever had another job
        self.others = 0  # jobs beside it, of all lanes, since it began to measure

    def read(self):
        """The messages that are there."""
        found = []
        while self.open:
            try:
                part = os.read(self.pipe, 65536)
            except BlockingIOError:
                break
            self.open = bool(part)
            *lines, self.text = (self.text + part).split(b"\n")
            found += [json.loads(line) for line in lines]
        return found

    def kill(self, why=None):
        self.stopped = self.stopped or why
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def ended(self):
        """None while it runs, else how it ended ('' if well); its group is gone then. Its number is given back last: until then nobody else has it."""
        if not os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return None
        self.kill()
        status = os.waitpid(self.pid, 0)[1]
        if self.stopped or not status:
            return self.stopped or ""
        return self.failure or (f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}")


class Jobs:
    """Runs work(job, lane, alone, send) for each job in a process of its own: `at_once` of them, spread over `lanes` (a lane is a GPU).

    send(dict) passes a message on; send({"phase": MEASURING}) says that the job compiles no more. At `end` (of time.monotonic()) no job begins
    and those that compile are killed; those that measure have `grace` seconds more. A job that ran out of memory beside others is tried again
    with its lane to itself when all others are done. `logs`: a folder for what jobs print, None leaves it where it is."""

    def __init__(self, work, lanes, at_once, end=math.inf, grace=15, logs=None):
        self.work, self.lanes, self.at_once, self.end, self.grace, self.logs = work, list(lanes), max(at_once, 1), end, grace, logs
        self.running, self.selector = [], selectors.DefaultSelector()

    def run(self, jobs):
        """Yields (job, message) as they come; a dict with 'failed' is the last of a job that failed, one with 'later' says that it is tried again.
        Messages also have 'others': how many jobs ran beside this one since it began to measure."""
        waiting, again = list(jobs), []
        try:
            while waiting or again or self.running:
                now = time.monotonic()
                if now >= self.end:
                    for job in waiting + again:
                        yield job, {"failed": "no time left"}
                    waiting, again = [], []
                    for child in self.running:
                        if child.phase != MEASURING or now >= self.end + self.grace:
                            child.kill("stopped at the limit")
                self.begin(waiting, again)
                for key, _ in self.selector.select(0.2):
                    yield from self.messages(key.data)
                for child in list(self.running):
                    how = child.ended()
                    if how is None:
                        continue
                    yield from self.messages(child)
                    self.forget(child)
                    if child.oom and child.shared and not child.stopped:
                        again.append(child.job)
                        yield child.job, {"later": "out of memory beside others"}
                    elif how:
                        yield child.job, {"failed": how, "log": str(child.log) if child.log else None}
        finally:
            for child in list(self.running):
                child.kill()
                os.waitpid(child.pid, 0)
                self.forget(child)

    def begin(self, waiting, again):
        """Starts what there is room for; those of `again` only in lanes where nothing runs."""
        while (waiting or again) and len(self.running) < self.at_once:
            count = {lane: sum(child.lane == lane for child in self.running) for lane in self.lanes}
            lane = min(self.lanes, key=count.get)
            if not waiting and count[lane]:
                return
            alone = not waiting
            self.start((waiting or again).pop(0), lane, alone)

    def messages(self, child):
        for message in child.read():
            if "phase" in message:
                child.phase, child.others = message["phase"], len(self.running) - 1
            elif "failed" in message:
                child.failure, child.oom = message["failed"], message["oom"]
            else:
                yield child.job, {**message, "others": child.others}
        if not child.open and child.pipe in self.selector.get_map():
            self.selector.unregister(child.pipe)

    def forget(self, child):
        self.running.remove(child)
        if child.pipe in self.selector.get_map():
            self.selector.unregister(child.pipe)
        os.close(child.pipe)

    def start(self, job, lane, alone):
        ends = os.pipe()
        log = None
        if self.logs:
            log = pathlib.Path(self.logs) / (str(job).translate({ord(c): "_" for c in " :/()',"}).strip("_") + ".log")
            log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            self.child(job, lane, alone, ends[1], log, parent)
        with contextlib.suppress(OSError):  # whichever of the two comes first
            os.setpgid(pid, pid)
        os.close(ends[1])
        os.set_blocking(ends[0], False)
        child = Running(job, lane, alone, pid, ends[0], log)
        for other in self.running:
            other.others = max(other.others, len(self.running))
            if other.lane == lane:
                other.shared = child.shared = True
        self.running.append(child)
        self.selector.register(ends[0], selectors.EVENT_READ, child)

    def child(self, job, lane, alone, write, log, parent):
        """The fork: does the work, and never returns."""
        status = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not longer than the parent
            if os.getppid() != parent:
                os._exit(1)
            os.nice(NICE)
            if log:
                file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
                os.dup2(file, 1)
                os.dup2(file, 2)
                sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)
            with os.fdopen(write, "w") as pipe:
                def send(message):
                    pipe.write(json.dumps(message) + "\n")
                    pipe.flush()

                try:
                    self.work(job, lane, alone, send)
                    status = 0
                except BaseException as e:
                    traceback.print_exc()
                    send({"failed": f"{type(e).__name__}: {e}"[:500], "oom": out_of_memory(e)})
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
