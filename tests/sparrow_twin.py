"""A node store of SparrowDB in dicts and lists: slow, obvious, nothing of nkgraph.

What it answers is what section 10 of the format description asks for.
"""

import struct

TOMBSTONE = 2**64 - 1


class Refused(Exception):
    """An error; its text is the kind that the traces' runner gives."""


def encode(value, heap):
    """The word of a value; what it points to is appended to ``heap``."""
    if isinstance(value, int):
        if not -(2**55) <= value < 2**55:
            raise Refused("Limit")
        return value % 2**56
    if isinstance(value, float):
        data, tag = struct.pack("<d", value), 3
    else:
        data, tag = value.encode() if isinstance(value, str) else value, 2
        if len(data) < 8 and b"\0" not in data:
            return int.from_bytes(data + b"\0" * (7 - len(data)) + b"\x01", "little")
        if len(data) > 65535:
            raise Refused("Limit")
    at = len(heap)
    heap.extend(data)
    return tag * 2**56 + len(data) * 2**40 + at


def decode(word, heap):
    data = word.to_bytes(8, "little")
    tag = data[7]
    if tag == 1:
        return data[:7].split(b"\0")[0]
    if tag not in (2, 3):
        return int.from_bytes(data[:7], "little", signed=True)
    at, size = int.from_bytes(data[:5], "little"), int.from_bytes(data[5:7], "little")
    if (tag == 3 and size != 8) or (size and at + size > len(heap)):
        raise Refused("FormatError")
    found = bytes(heap[at : at + size])
    return found if tag == 2 else struct.unpack("<d", found)[0]


def matches(word, text, heap):
    """Whether a word holds a text; bytes behind a zero in a word count."""
    data = word.to_bytes(8, "little")
    if data[7] == 1:
        return len(text) < 8 and text.ljust(7, b"\0") == data[:7] and text[-1:] != b"\0"
    try:
        return data[7] == 2 and decode(word, heap) == text
    except Refused:
        return False


class Twin:
    """``words[label, col]`` are lists, ``bits[label, col]`` sets of slots if there is a bitmap."""

    def __init__(self):
        self.heap = bytearray()
        self.words = {}
        self.bits = {}
        self.disk = {}
        self.open()

    def open(self):
        self.marks, self.dirty, self.clean = {}, set(), {}

    def columns(self, label):
        return sorted(col for owner, col in self.words if owner == label)

    def disk_hwm(self, label):
        if label not in self.disk:
            longest = max((len(self.words[label, col]) for col in self.columns(label)), default=0)
            if longest:
                self.disk[label] = longest
        return self.disk.get(label, 0)

    def hwm(self, label):
        return self.marks.get(label, self.disk_hwm(label))

    def claim(self, label, until):
        """Slots from the mark on hold what a lost writer left: it is not theirs."""
        clean = self.clean.setdefault(label, self.disk_hwm(label))
        for col in self.columns(label):
            for slot in range(clean, until):
                if slot < len(self.words[label, col]):
                    self.words[label, col][slot] = 0
                    self.bits.get((label, col), set()).discard(slot)
        self.clean[label] = max(clean, until)
        return clean

    def put(self, label, col, slot, word, present, clean):
        known = (label, col) in self.words
        words = self.words.setdefault((label, col), [])
        if present and (label, col) not in self.bits:
            old = enumerate(words[:clean]) if known else ()
            self.bits[label, col] = {
                place for place, held in old if held and (col, held) != (0, TOMBSTONE)
            }
        words.extend([0] * (slot + 1 - len(words)))
        words[slot] = word
        if present:
            self.bits[label, col].add(slot)

    def is_deleted(self, label, slot):
        marks = self.words.get((label, 0), [])
        clean = self.clean.get(label, self.disk_hwm(label))
        return slot < min(len(marks), clean) and marks[slot] == TOMBSTONE

    def check(self, label, slot):
        if slot >= self.hwm(label):
            raise Refused("NotFound")
        if self.is_deleted(label, slot):
            raise Refused("Graph")

    def encoded(self, props):
        new = bytearray(self.heap)  # the heap stays as it was if a value is refused
        words = {col: encode(value, new) for col, value in props}
        self.heap = new
        return words

    # -- operations ----------------------------------------------------------------------------

    def create(self, label, props):
        self.marks[label] = slot = self.hwm(label)
        words = self.encoded(props)
        clean = self.claim(label, slot + 1)
        for col in set(self.columns(label)) | set(words):
            self.put(label, col, slot, words.get(col, 0), col in words, clean)
        self.marks[label] = self.disk[label] = slot + 1
        return label * 2**32 + slot

    def peek(self, label):
        self.marks[label] = self.hwm(label) + 1
        return self.marks[label] - 1

    def create_at(self, label, slot, props):
        if self.is_deleted(label, slot):
            raise Refused("Graph")
        words = self.encoded(props)
        clean = self.claim(label, slot + 1)
        for col, word in words.items():
            self.put(label, col, slot, word, True, clean)
        self.raise_mark(label, slot + 1)
        return label * 2**32 + slot

    def raise_mark(self, label, mark):
        self.marks[label] = max(self.hwm(label), mark)
        self.dirty.add(label)

    def batch(self, writes, node_slots):
        touched = [(label, slot) for label, _, slot, _, _ in writes] + list(node_slots)
        if any(self.is_deleted(label, slot) for label, slot in touched):
            raise Refused("Graph")
        tops, cleans = {}, {}
        for label, slot in touched:
            tops[label] = max(tops.get(label, 0), slot + 1)
        for label, top in tops.items():
            cleans[label] = self.claim(label, top)
        for label, col, slot, word, present in writes:
            self.put(label, col, slot, word, present, cleans[label])
        for label, slot in node_slots:
            self.raise_mark(label, slot + 1)

    def flush(self):
        for label in self.dirty:
            self.disk[label] = self.marks[label]
        self.dirty = set()

    def set(self, label, slot, col, value):
        if (label, col) not in self.words:
            raise Refused("NotFound")
        self.upsert(label, slot, col, value)

    def upsert(self, label, slot, col, value):
        self.check(label, slot)
        word = self.encoded([(col, value)])[col]
        clean = self.claim(label, slot + 1)
        bare = (label, col) in self.words and (label, col) not in self.bits
        visible = bare and slot < min(len(self.words[label, col]), clean)
        self.put(label, col, slot, word, not visible, clean)

    def tombstone(self, label, slot):
        mark = self.hwm(label)
        if slot >= mark:
            raise Refused("NotFound")
        if self.is_deleted(label, slot):
            return
        clean = self.claim(label, slot + 1)
        self.put(label, 0, slot, TOMBSTONE, False, clean)
        words = self.words[label, 0]
        words.extend([0] * (mark - len(words)))

    # -- reading -------------------------------------------------------------------------------

    def raw(self, label, slot, cols):
        found = []
        for col in cols:
            words = self.words.get((label, col))
            if words is not None and slot >= len(words):
                raise Refused("NotFound")
            found.append((col, 0 if words is None else words[slot]))
        return found

    def get(self, label, slot, cols):
        return [(col, decode(word, self.heap)) for col, word in self.raw(label, slot, cols)]

    def nullable(self, label, slot, cols):
        found = []
        for col in cols:
            words = self.words.get((label, col), [])
            there = slot < len(words) and slot in self.bits.get((label, col), {slot})
            found.append((col, words[slot] if there else None))
        return found

    def batch_read(self, label, slots, cols):
        columns = [self.words.get((label, col), []) for col in cols]
        return [[words[s] if s < len(words) else 0 for words in columns] for s in slots]
