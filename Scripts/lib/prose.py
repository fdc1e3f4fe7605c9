"""What a file says to people: comments, literals, paragraphs. For the checks of words and of what is cited."""

import re

C_LIKE = {".swift", ".c", ".h"}
HASHED = {".py", ".sh"}
MARKDOWN = {".md", ".tutorial"}
READ = C_LIKE | HASHED | MARKDOWN

BULLET = r"\s*(?:-|\d+\.) "


class Passage:
    """Text that is read in one go, and the line that each part of it is from."""

    def __init__(self, number=None, text="", before=None):
        self.text = ""
        self.starts = []
        # Of a literal: what stands before it in its line.
        self.before = before
        if number is not None:
            self.add(number, text)

    def add(self, number, text):
        self.starts.append((len(self.text), number))
        self.text += text.strip() + " "

    def line(self, offset):
        """Returns the number of the line that the text is from at an offset."""
        return max(number for start, number in self.starts if start <= offset)


def kind(path):
    """Returns the suffix that says how a file is read; of a script without one, that of its interpreter."""
    if path.suffix or not path.is_file():
        return path.suffix
    with path.open("rb") as file:
        first = file.readline(80)
    if not first.startswith(b"#!"):
        return ""
    return ".py" if b"python" in first else ".sh" if re.search(rb"\b(ba|da|)sh\b", first) else ""


def passages(lines, suffix):
    """Yields what a file says: runs of comment lines, each literal of one line; or the paragraphs of Markdown."""
    if suffix in MARKDOWN:
        yield from paragraphs(lines, suffix)
        return
    mark = re.compile(r"\s*#+ ?(.*)" if suffix in HASHED else r"\s*(?:///?|/\*+|\*+/?)(?:\s(.*)|$)")
    passage = Passage()
    for number, line in enumerate(lines, 1):
        comment = mark.fullmatch(line)
        text = (comment.group(1) or "") if comment else None
        if text and not re.match(BULLET, text):
            passage.add(number, text)
            continue
        if passage.text:
            yield passage
        passage = Passage()
        if text:
            passage.add(number, re.sub(r"^\s*(?:-|\d+\.) (?:(?:Parameter \w+|Throws|Returns|Note): )?", "", text))
        elif comment is None:
            for literal in re.finditer(r'"((?:[^"\\]|\\.)*)"', line):
                yield Passage(number, literal.group(1), before=line[: literal.start()].strip())
            for text in re.findall(r"\s//+ (.*)$", line):
                yield Passage(number, text)
    if passage.text:
        yield passage


def paragraphs(lines, suffix=".md"):
    """Yields paragraphs, points of lists, and cells of tables, without code."""
    passage, isCode = Passage(), False
    for number, line in enumerate(lines, 1):
        if suffix == ".tutorial":
            # What is indented there is inside of a directive. A directive and its end are left out.
            line = re.sub(r"^(?:@|\}).*", "", line.strip())
        isFence = line.lstrip().startswith("```")
        isCode ^= isFence
        starts = not line.strip() or isFence or isCode or re.match(r"\s*(?:[-*#|>]|\d+\.)", line)
        if starts and passage.text:
            yield passage
            passage = Passage()
        if line.strip() and not isFence and not isCode and not line.startswith("    "):
            if line.startswith("|"):
                for cell in line.split("|"):
                    yield Passage(number, cell)
            else:
                passage.add(number, re.sub(r"^\s*(?:[-*#>]+|\d+\.)\s", "", line))
    if passage.text:
        yield passage
