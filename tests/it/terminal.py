"""Runs a command on a terminal of its own and prints what came there, as JSON. Arguments: a JSON object."""

import fcntl, json, os, pty, re, select, struct, sys, termios, time

told = json.loads(sys.argv[1])
pid, master = pty.fork()
if pid == 0:
    if told.get("stdout"):
        os.dup2(os.open(told["stdout"], os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.environ.update(told.get("env", {}))
    os.execv(told["argv"][0], told["argv"])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, told.get("columns", 80), 0, 0))
seen, code, answers = b"", None, list(told.get("answers", []))
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    readable, _, _ = select.select([master], [], [], 0.1)
    if readable:
        try:
            part = os.read(master, 65536)
        except OSError:
            part = b""
        if not part:
            break
        seen += part
    if answers and re.search(answers[0][0], seen.decode("utf-8", "replace")):
        os.write(master, answers.pop(0)[1].encode())
if time.monotonic() >= deadline:
    os.kill(pid, 9)
_, status = os.waitpid(pid, 0)
print(json.dumps({"seen": seen.decode("utf-8", "replace"), "code": os.waitstatus_to_exitcode(status)}))
