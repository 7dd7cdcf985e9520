// Markdown as HTML: expected by CommonMark's rules.
import Testing

@testable import notebook

private let blocks: [(String, String)] = [
    ("a\nb", "<p>a\nb</p>"), ("a  \nb", "<p>a<br>\nb</p>"), ("a\n\nb", "<p>a</p>\n<p>b</p>"),
    ("# A `b` & c", "<h1 id=\"a-b-c\">A <code>b</code> &amp; c</h1>"), ("#a", "<p>#a</p>"),
    ("####### a", "<p>####### a</p>"), ("---", "<hr>"), ("* * *", "<hr>"),
    ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"), ("- a\n\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
    ("- a\n  more", "<ul>\n<li>a\nmore</li>\n</ul>"),
    ("- a\n  - b\n- c", "<ul>\n<li>a\n<ul>\n<li>b</li>\n</ul></li>\n<li>c</li>\n</ul>"),
    ("3. a\n4. b", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>"),
    ("- a\n1. b", "<ul>\n<li>a</li>\n</ul>\n<ol>\n<li>b</li>\n</ol>"), ("-a", "<p>-a</p>"),
    ("> a\n> b\n\nc", "<blockquote><p>a\nb</p></blockquote>\n<p>c</p>"),
    ("```\n<a>\n\n# b\n```\nc", "<pre class=\"code\"><code>&lt;a&gt;\n\n# b</code></pre>\n<p>c</p>"),
    ("```swift\nlet a\n```", "<pre class=\"code\"><code><span class=\"keyword\">let</span> a</code></pre>"),
    ("```\nnever closed", "<pre class=\"code\"><code>never closed</code></pre>"),
    (
        "| a | b |\n|:-:|--:|\n| `x|y` | 1 |\n| c |",
        "<div class=\"table\"><table><thead><tr><th class=\"centre\">a</th><th class=\"right\">b</th></tr></thead>\n"
            + "<tbody><tr><td class=\"centre\"><code>x|y</code></td><td class=\"right\">1</td></tr>\n"
            + "<tr><td class=\"centre\">c</td><td class=\"right\"></td></tr></tbody></table></div>"
    ),
    ("a | b\nc", "<p>a | b\nc</p>"), ("", ""),
]

private let lines: [(String, String)] = [
    ("*a* **b** _c_ __d__", "<em>a</em> <strong>b</strong> <em>c</em> <strong>d</strong>"),
    ("**a *b* c**", "<strong>a <em>b</em> c</strong>"), ("~~a~~", "<del>a</del>"),
    ("snake_case_name, 2 * 3 * 4", "snake_case_name, 2 * 3 * 4"), ("**never closed", "**never closed"),
    ("`a*b*` ``c`d``", "<code>a*b*</code> <code>c`d</code>"), ("*a `*` b*", "<em>a <code>*</code> b</em>"),
    ("\\*a\\* \\q", "*a* \\q"), ("<b> & \"q\"", "&lt;b&gt; &amp; &quot;q&quot;"),
    ("[a *b*](http://c.d/(e))", "<a href=\"http://c.d/(e)\">a <em>b</em></a>"),
    ("[a](../b.md#c)", "<a href=\"../b.md#c\">a</a>"), ("[a](javascript:b)", "[a](javascript:b)"),
    ("[a](data:text/html,b) [c] (d)", "[a](data:text/html,b) [c] (d)"), ("![a](b.png)", "<a href=\"b.png\">a</a>"),
    ("see https://a.b/c.", "see <a href=\"https://a.b/c\">https://a.b/c</a>."),
    ("$a_1 * b_2$ costs $5", "<span class=\"math\">a<sub>1</sub> * b<sub>2</sub></span> costs $5"),
    ("$e^{-x}$ $x^", "<span class=\"math\">e<sup>−x</sup></span> $x^"),
    ("3 × 3, $a - 1$ is 5 % of it", "3\u{a0}×\u{a0}3, <span class=\"math\">a − 1</span> is 5\u{a0}% of it"),
    ("$$x<y$$", "<span class=\"math\">x&lt;y</span>"),
]

@Suite struct MarkdownTests {
    @Test(arguments: blocks) func blocksAreRendered(_ text: String, _ html: String) {
        #expect(Markdown.html(text) == html)
    }

    @Test(arguments: lines) func marksWithinLinesAreRendered(_ text: String, _ html: String) {
        #expect(Inline.html(text) == html)
    }

    @Test func plainTextHasNoMarks() { #expect(Markdown.plain("A *b* `<c>` [d](e)") == "A b <c> d") }

    @Test(arguments: ["> ", "- ", "*", "[", "_a ", "`", "$", "![", "|", "1. "])
    func manyMarksNeitherHangNorCrash(_ mark: String) {
        #expect(!Markdown.html(String(repeating: mark, count: 2000)).isEmpty)
    }
}
