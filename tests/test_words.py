"""Terms of the field and American spelling, in documentation, code and messages."""

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for place in ('*.md', 'docs/*.md', 'demo/*.md', 'configs/**/*.md', 'mmhot/**/*.md')
    for page in ROOT.glob(place)
    if '.mim' not in page.parts
)
MODULES = sorted(
    path
    for folder in ('mmhot', 'tools', 'tests')
    for path in (ROOT / folder).rglob('*.py')
    if path != Path(__file__)  # quotes them
)
SCRIPTS = sorted(
    path
    for path in (ROOT / 'mmhot').rglob('*.js')
    if path.name != 'bundle.js' and 'node_modules' not in path.parts
)
# Wrong terms, each with that of the field.
BANNED = {
    r'films?|filmed|filming': 'video',
    r'pictures?|pictured': 'image',
    r'perceptrons?': 'MLP',
    r'sureness': 'confidence',
    r'a hourglass': 'an hourglass',
    r'the truth|true 2D': 'ground truth',
    # American spelling
    r'cent(re|res|red|ring)': 'center',
    r'colou?rs?(?<!color)(?<!colors)|coloured|colouring': 'color',
    r'(milli|centi)?metres?': 'meter',
    r'behaviours?': 'behavior',
    r'neighbou?rs?(?<!neighbor)(?<!neighbors)|neighbouring': 'neighbor',
    r'(normal|recogn|initial|organ|optim|minim|maxim|general|summar)is(e|es|ed|ing)':
        '-ize',
    r'(normal|initial|optim|minim|maxim|general)isation': '-ization',
    r'licences?': 'license',
    r'labell(ed|ing)|modell(ed|ing)|cancell(ed|ing)|travell(ed|ing)': 'one l',
    r'analys(e|es|ed|ing)': 'analyze',
    r'grey': 'gray',
}  # fmt: skip
# Before Python 3.12 f-strings are strings, from then on they have parts.
TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, 'FSTRING_MIDDLE', None)}
PATTERN = re.compile(
    '|'.join(rf'(?P<w{i}>\b(?:{words})\b)' for i, words in enumerate(BANNED)),
    re.IGNORECASE,
)
# Quotations, other packages' names and files that have such a name.
ALLOWED = re.compile(r'\bcolour\.py\b', re.IGNORECASE)


def banned_words(text):
    """List (word, replacement) of a text, quotations left out."""
    found = PATTERN.finditer(ALLOWED.sub('', text))
    replacements = tuple(BANNED.values())
    return [(match[0], replacements[int(match.lastgroup[1:])]) for match in found]


def prose(page):
    """Text of a page without code blocks, inline code and addresses."""
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)
    text = re.sub(r'`[^`]*`', '`code`', text)
    return re.sub(r'\]\([^)]*\)', ']', text)


def written_texts(path):
    """Names, comments, docstrings and strings of a module, with their lines."""
    whole = path.read_text()
    if not PATTERN.search(whole.replace('_', ', ')):
        return
    source, names = io.StringIO(whole), {}
    for token in tokenize.generate_tokens(source.readline):
        if token.type in TEXTS:
            yield token.start[0], token.string
        elif token.type == tokenize.NAME:
            names[token.string] = token.start[0]
    for name, line in names.items():
        yield line, name.replace('_', ', ')


def test_pages_modules_and_scripts_use_the_words_of_the_field():
    texts = [(page, '', prose(page)) for page in PAGES]
    texts += [(path, line, x) for path in MODULES for line, x in written_texts(path)]
    texts += [(path, '', path.read_text().replace('_', ', ')) for path in SCRIPTS]
    found = [
        f'{path.relative_to(ROOT)}:{line}: {word!r}, better: {better}'
        for path, line, text in texts
        for word, better in banned_words(text)
    ]
    assert not found, '\n'.join(found)
