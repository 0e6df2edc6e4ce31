#include <doctest/doctest.h>

#include <string>

#include "natkit/engine/explain/html/markup.hpp"

using namespace natkit::html;

TEST_CASE("html::escaped: nothing of a text is markup, or hides") {
    struct Case {
        const char* why;
        std::string text, want;
    };
    const Case cases[] = {
        {"plain", "alice@example.com", "alice@example.com"},
        {"a tag", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"out of an attribute", "\" onload='x", "&quot; onload=&#39;x"},
        {"a reference", "&lt;b&gt;", "&amp;lt;b&amp;gt;"},
        {"out of a comment, a style and CDATA", "--> </style> ]]>", "--&gt; &lt;/style&gt; ]]&gt;"},
        {"UTF-8 stays", "Jürgen → 日本 😀", "Jürgen → 日本 😀"},
        {"control characters", std::string("a\0b\x1b[31m\r\n", 10), "a\\x00b\\x1b[31m\\x0d\\x0a"},
        {"C1 control", "\xc2\x85", "\\xc2\\x85"},
        {"no UTF-8", "\xff\xc3(", "\\xff\\xc3("},
        {"UTF-8 that is cut off", "a\xe2\x82", "a\\xe2\\x82"},
        {"an overlong <", "\xc0\xbcscript", "\\xc0\\xbcscript"},
        {"an overlong < of three bytes", "\xe0\x80\xbc", "\\xe0\\x80\\xbc"},
        {"a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"past the last character", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"what turns the direction round",
         "a\xe2\x80\xae"
         "b",
         "a\\xe2\\x80\\xaeb"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.why);
        CHECK(escaped(one.text) == one.want);
    }
}

TEST_CASE("html::Markup: values are escaped, markup is not") {
    const std::string name = "<b>\"x\"</b>";
    const Markup inner = Markup().put("<i>{}</i>", name);
    const Markup all = Markup().put("<p title=\"{}\">{} {}</p>", name, inner, 42);
    CHECK(all.str() == "<p title=\"&lt;b&gt;&quot;x&quot;&lt;/b&gt;\"><i>&lt;b&gt;&quot;x&quot;&lt;/b&gt;</i> 42</p>");
    CHECK(Markup().put("{}", "{}").str() == "{}");  // a value is no template
    CHECK(Markup().put("{}{}", "{}", "x").str() == "{}x");
}

TEST_CASE("html::Markup: a value is cut, but no character") {
    const std::string text = Markup().put("{}", std::string(longest_text - 1, 'a') + "ü<b>").str();
    CHECK(text == std::string(longest_text - 1, 'a') + "ü…");
    CHECK(Markup().put("{}", std::string(longest_text, '<')).str().size() == 4 * longest_text);
    CHECK(Markup().put("{}", std::string(100'000, 'x')).size() < longest_text + 8);
}

TEST_CASE("html::cut") {
    CHECK(cut("abc", 3) == "abc");
    CHECK(cut("äöü", 2) == "äö…");
    CHECK(cut("", 0).empty());
    CHECK(cut("\xff\xff\xff", 1) == "\xff…");
}
