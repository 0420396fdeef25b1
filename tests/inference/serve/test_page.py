"""The page in a real browser: it shows what the cells say, and nothing else happens."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import served, trained

playwright = pytest.importorskip("playwright.sync_api")
PROMPT = "<script>document.title = 'broken'</script><b>Käfer</b>"
SIZES = {"narrow": (390, 844), "wide": (1440, 900)}


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    """Return a headless Chromium: that of the system, or playwright's own."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as tool:
        if path is None and not Path(tool.chromium.executable_path).exists():
            pytest.skip("there is no Chromium")
        with tool.chromium.launch(executable_path=path, args=["--no-sandbox"]) as launched:
            yield launched


@pytest.fixture
def visit(browser) -> Iterator:
    """Return a function that opens a page of a size; at the end it must have kept quiet."""
    heard, asked = [], []
    contexts = []

    def opened(address: str, size: str = "wide", scheme: str = "light") -> "playwright.Page":
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("#cells input")
        opened.address = address
        return page

    yield opened
    for context in contexts:
        context.close()
    assert heard == []
    assert all(re.match(f"{opened.address}/|data:,$", url) for url in asked), asked


def fill(page, **settings: object) -> None:
    """Set settings of the page."""
    if page.locator("details").get_attribute("open") is None:
        page.click("summary")
    for name, value in settings.items():
        page.fill(f"[name={name}]", str(value))


def finished(page) -> None:
    """Wait until all answers have ended."""
    page.wait_for_selector("article")
    playwright.expect(page.locator("article[aria-busy=true]")).to_have_count(0, timeout=20_000)


@pytest.mark.parametrize("size", SIZES)
def test_cells_continue_a_prompt_side_by_side(visit, url, cells, size):
    page = visit(url, size)
    assert page.locator("#cells input").evaluate_all("all => all.map(box => box.value)") == ["one", "two"]
    fill(page, temperature=0, max_tokens=30)
    page.fill("#prompt", PROMPT)
    page.press("#prompt", "Control+Enter")
    finished(page)
    assert page.locator("article h2").all_inner_texts() == ["one", "two"]
    for number, cell in enumerate(cells.values()):
        expected = PROMPT + cell.generate(PROMPT, max_new_tokens=30, temperature=0, top_p=0.95)
        assert page.locator("article .text").nth(number).evaluate("p => p.textContent") == expected
        status = page.locator("article").nth(number).locator("p").first.inner_text()
        assert re.match(
            r"30 tokens · \d+ per second · cut at the limit · the first 8 tokens of the prompt", status
        )
    assert page.title() == "gptgrid"
    assert page.locator("article script, article b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    tops = page.locator("article").evaluate_all("all => all.map(card => card.getBoundingClientRect().top)")
    assert (tops[0] == tops[1]) == (size == "wide")


def test_a_token_shows_its_probability_and_its_alternatives(visit, url):
    page = visit(url)
    fill(page, max_tokens=12, seed=1)
    page.locator("#cells input").nth(1).uncheck()
    page.click("#run")
    finished(page)
    tokens = page.locator(".token")
    steps = tokens.evaluate_all("all => all.map(token => token.className)")
    assert set(steps) <= {f"token p{step}" for step in range(5)}
    assert len(set(steps)) > 1
    tokens.first.hover()
    rows = page.locator("#tip tr").all_inner_texts()
    assert len(rows) >= 5
    assert all(re.search(r"\d %$", row) for row in rows)
    assert page.locator("#tip .chosen").count() >= 1
    # By keys, too: one stop for all tokens of an answer, arrows between them.
    tokens.first.focus()
    page.keyboard.press("ArrowRight")
    assert tokens.nth(1).evaluate("token => token === document.activeElement")
    assert page.locator("#tip").is_visible()
    assert page.locator(".token[tabindex='0']").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_the_keyboard_is_enough(visit, url):
    page = visit(url)
    fill(page, max_tokens=5)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "run":
            break
    page.keyboard.press("Enter")
    finished(page)


def test_an_answer_streams_and_can_be_stopped(visit):
    with served({"one": trained()}, running=1) as address:
        page = visit(address)
        fill(page, max_tokens=30_000)
        page.check("[name=ignore_eos]")
        page.click("#run")
        page.wait_for_selector(".token:nth-of-type(20)")
        page.click("#stop")
        finished(page)
        assert "stopped" in page.locator("article p").first.inner_text()
        # The server has stopped, too: the next answer need not wait.
        fill(page, max_tokens=3)
        page.click("#run")
        finished(page)


def test_characters_of_several_tokens_are_whole(visit):
    with served({"one": trained()}) as address:
        page = visit(address)
        page.evaluate(
            """() => {
              const answer = new Answer("x", "p");
              const told = (tokens, offsets) => ({tokens, text_offset: offsets,
                token_logprobs: tokens.map(() => -1), top_logprobs: tokens.map(() => ({a: -1}))});
              answer.add({text: "a", logprobs: told(["a"], [0])});
              answer.add({text: "天😀", logprobs: told(["bytes:\\\\xe5", "bytes:\\\\xa4\\\\xa9", "😀"], [1, 1, 2])});
              answer.add({text: "b", logprobs: told(["b"], [3])});
            }"""
        )
        assert page.locator(".token").all_inner_texts() == ["a", "天", "😀", "b"]
        assert page.locator(".token").nth(1).evaluate("token => token.parts.length") == 2


def test_it_asks_for_the_token_of_a_server(browser, cells):
    with served(cells, token="sesame") as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#token")
        page.fill("#token", "sesame")
        page.click("#run")
        page.wait_for_selector("#cells input")
        finished(page)


def test_an_error_is_shown(browser, cells):
    with served(cells) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#cells input")
        fill(page, max_tokens=99_999)
        page.click("#run")
        page.wait_for_selector("article .error")
        assert "max_tokens" in page.locator("article .error").first.inner_text()
