"""Pages of invented runs, and what they say apart from how."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from synthetic import Plan, write_run

from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.report import write_report

SMALL = Plan(
    suites={
        "parameters": (STATIC, ((1, 128),)),
        "memory": (MEMORY, ((1, 128), (8, 128))),
        "latency": (FORWARD, ((1, 32), (1, 128))),
        "throughput": (FORWARD, ((4, 128),)),
    },
    processes=3,
    rounds=6,
    slowdown=0.05,
)


LATENCY = {"latency": SMALL.suites["latency"]}


ALBERT_CASE = "latency/albert-base-v2/cpu/float32/sdpa/t2/b1/s32"


class Page(HTMLParser):
    """What a page says, apart from how: text, links, ids, headings."""

    def __init__(self, source):
        super().__init__()
        self.text, self.tags, self.ids, self.hrefs, self.headings = "", [], [], [], []
        self._inside = None
        self.feed(source)
        self.text = re.sub(r"\s+", " ", self.text.replace("\u00a0", " "))

    def handle_starttag(self, tag, attrs):
        """Note ids, links and headings."""
        found = dict(attrs)
        self.tags.append((tag, found))
        self._inside = tag
        self.ids += [found["id"]] if "id" in found else []
        self.hrefs += [found["href"]] if "href" in found else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data):
        """Keep what a reader sees."""
        if self._inside not in ("style", "script"):
            self.text += data

    def handle_endtag(self, _tag):
        """What follows is outside."""
        self._inside = None


def page(tmp_path, *plans):
    """The page of runs made to these plans: its source and what it says."""
    runs = [write_run(tmp_path / f"run{i}", plan) for i, plan in enumerate(plans)]
    source = write_report(runs, tmp_path / "report").read_text(encoding="utf-8")
    return source, Page(source)
