"""The whole chain of a campaign (PERFORMANCE row 19): fill in, put together, sign, hand over.

Run with `python -m bench mail_chain`. Ours has the ledger on: each message is claimed, asked about
at the gate (consent, suppression, cap), put on the wire and settled with its event, all committed
to PostgreSQL with fsync. The peers keep no record at all: Jinja2, email.message, dkimpy and
smtplib on one connection; nodemailer with DKIM and a pool of ten (fetched with npm the first
time). The floor makes and signs the same messages and hands them over, without a ledger.
RSA-2048 everywhere, 8 kB of HTML and text, the same mail server in a process of its own.

Goals: 10 times the Python chain, 4 times nodemailer, half of the floor, and two processes 1.5
times one. With seven rounds or more the memory of one process for 10,000 and 100,000 recipients is
compared as well.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from amity.infra import config
from amity.infra.database import transaction
from bench.collector import installation
from bench.harness import Goal, Sample, interleave, show, summary
from bench.mail_render import LIQUID

COUNTS = {"amity": 2500, "amity, 2 processes": 4000, "floor": 1500, "python chain": 60}
COUNTS["nodemailer"] = 300
PEOPLE = 20_000
NODEMAILER = "7.0.10"
SUBJECT = "Hello {{ customer.first_name }}, here is what is new"
HTML = LIQUID.replace("p in products", "p in event.products")
TEXT = "Hello {{ customer.first_name }},\n\nhere is what is new. {{ links.unsubscribe }}\n" * 12
PRODUCTS = [
    {
        "name": f"Linen shirt {number}",
        "words": "Light & airy, for long summer evenings",
        "price": f"€{number}9.90",
        "url": f"https://shop.example/p/{number}?a=1&b=2",
        "image": f"https://img.shop.example/{number}.jpg",
        "is_new": number % 3 == 0,
    }
    for number in range(6)
]
_ROOT = Path(__file__).parents[1]
_NODE = _ROOT / ".bench" / "node"


class Worker:
    """A process that is told what to do line by line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command,
            cwd=_ROOT,
            env=config.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, line):
        self.tell(line)
        return self.hear()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def python_worker():
    return Worker(sys.executable, "-m", "bench.mail_chain_worker")


def make_people(count):
    """Put people there who agreed, and a running campaign; return its content."""
    from amity.testing import mailing

    with transaction() as connection:
        mailing.make_campaign(connection)
        mailing.make_people(connection, range(1, count + 1))
        content_id = mailing.make_content(connection, html=HTML, subject=SUBJECT)
        connection.execute("UPDATE broadcast_content SET text = %s", [TEXT])
    with transaction("owner") as connection:
        connection.execute("ANALYZE store_profile")
    return content_id


class Campaign:
    """Queues messages, each time an occasion of its own and to others."""

    def __init__(self, content_id, people):
        self.content_id, self.people = content_id, people
        self.turn = self.place = 0

    def queue(self, count):
        from amity.testing import mailing

        self.turn += 1
        with transaction() as connection:
            for _ in range(0, count, 5000):
                some = min(count, 5000)
                if self.place + some > self.people:
                    self.place = 0
                numbers = range(self.place + 1, self.place + some + 1)
                self.place += some
                mailing.queue(
                    connection,
                    numbers,
                    self.content_id,
                    run_kind="service",
                    run_id=0,
                    step_key=str(self.turn),
                    variables={"event": {"products": PRODUCTS}},
                    not_after=datetime.now(UTC) + timedelta(days=1),
                )


def _sent():
    with transaction() as connection:
        found = dict(
            connection.execute("SELECT state, count(*) FROM broadcast_send GROUP BY 1").fetchall()
        )
        events = connection.execute(
            "SELECT coalesce(sum(stored), 0) FROM store_counter WHERE source_id = 1"
        ).fetchone()[0]
    assert set(found) <= {"sent"}, found
    assert events == found.get("sent", 0), "each is recorded as an event"
    return found.get("sent", 0)


def ours(campaign, workers, count):
    def turn():
        campaign.queue(count)
        before, began = _sent_before(), time.perf_counter()
        for worker in workers:
            worker.tell("amity 0")
        answers = [worker.hear() for worker in workers]
        spent = time.perf_counter() - began
        assert _sent() - before == count
        return Sample(count, spent, sum(answer["cpu_seconds"] for answer in answers))

    return turn


def _sent_before():
    with transaction() as connection:
        return connection.execute(
            "SELECT count(*) FROM broadcast_send WHERE state = 'sent'"
        ).fetchone()[0]


def told(worker, line, count):
    def turn():
        answer = worker.ask(line)
        return Sample(count, answer["seconds"], answer["cpu_seconds"])

    return turn


def nodemailer(stack, port, key):
    """Start nodemailer's process; None where there is no Node or npm."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    if not (_NODE / "node_modules" / "nodemailer").exists():
        _NODE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [
                *("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"),
                *("--prefix", str(_NODE), f"nodemailer@{NODEMAILER}"),
            ],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    begin, _, rest = HTML.partition("{% for p in event.products %}")
    plain = {
        "subject": "Hello Maria, here is what is new",
        "begin": begin.replace("{{ customer.first_name }}", "{name}"),
        "end": rest.partition("{% endfor %}")[2].replace("{{ customer.first_name }}", "{name}"),
        "rows": PRODUCTS,
        "text": TEXT.replace("{{ customer.first_name }}", "Maria"),
    }
    (folder / "message.json").write_text(json.dumps(plain), "utf-8")
    script = Path(__file__).with_name("mail_chain_peer.mjs")
    worker = Worker(
        "node", str(script), str(port), str(key), str(_NODE), str(folder / "message.json")
    )
    stack.callback(worker.close)
    return worker


def memory(campaign):
    """Return the most memory a fresh process needs for ten and for a hundred thousand."""
    found = {}
    for count in (10_000, 100_000):
        campaign.queue(count)
        worker = python_worker()
        found[count] = worker.ask("amity 0")["memory"]
        worker.close()
    return found


def run(rounds):
    """Send with each in turns."""
    from bench.mail_smtp import sink_process

    with contextlib.ExitStack() as stack:
        port = stack.enter_context(sink_process())
        settings = {
            "smtp_url": f"smtp://127.0.0.1:{port}?greeting=bench.example",
            "postal_address": "9 Sender Lane, Testville",
            "quiet_from": 0,
            "quiet_until": 0,
            "marketing_cap_count": 10_000,
        }
        stack.enter_context(config.override(**settings))
        stack.enter_context(installation())
        campaign = Campaign(make_people(PEOPLE), PEOPLE)
        workers = [python_worker() for _ in range(2)]
        for worker in workers:
            stack.callback(worker.close)
        workers[0].ask("floor 20")
        contenders = {
            "amity": ours(campaign, workers[:1], COUNTS["amity"]),
            "amity, 2 processes": ours(campaign, workers, COUNTS["amity, 2 processes"]),
            "floor": told(workers[0], f"floor {COUNTS['floor']}", COUNTS["floor"]),
            "python chain": told(
                workers[1], f"peer {COUNTS['python chain']}", COUNTS["python chain"]
            ),
        }
        using = config.settings()
        node = nodemailer(stack, port, using.data / "dkim" / f"{using.dkim_selector}.pem")
        if node is not None:
            count = COUNTS["nodemailer"]
            contenders["nodemailer"] = told(node, str(count), count)
        contenders["amity"]()  # warm up
        measured = interleave(contenders, rounds)
        most = memory(campaign) if rounds >= 7 else {}
    return _report(measured, contenders, most)


def _report(measured, contenders, most):
    def ratio(one, other):
        return measured.ratio(one, other, lambda sample: sample.rate)["median"]

    goals = [
        Goal("chain: amity / Python chain", ratio("amity", "python chain"), 10.0),
        Goal("chain: amity / the floor, without a ledger", ratio("amity", "floor"), 0.5),
        Goal("chain: two processes / one", ratio("amity, 2 processes", "amity"), 1.5),
    ]
    if "nodemailer" in contenders:
        goals.append(Goal("chain: amity / nodemailer", ratio("amity", "nodemailer"), 4.0))
    if most:
        flat = most[100_000] / most[10_000]
        goals.append(Goal("memory: 100,000 / 10,000 recipients", flat, 1.1, at_least=False))
    show("render + MIME + DKIM + SMTP, with ledger and events", measured, goals)
    if "nodemailer" not in contenders:
        print("  nodemailer was left out: there is no Node or npm here")
    for count, size in most.items():
        print(f"  memory of one sender, {count:>7,} recipients: {size / 2**20:6.1f} MiB")
    return summary("mail_chain", measured, goals, memory={str(k): v for k, v in most.items()})
