// Checks against collected session descriptions, where they are at hand (../shared/data beside the checkout).
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include "natkit/base/text.hpp"
#include "natkit/sdp/rewrite.hpp"

using namespace natkit;
using namespace natkit::sdp;

namespace {

std::filesystem::path data_folder() {
    for (std::filesystem::path folder = NATKIT_SOURCE_DIR; folder.has_relative_path(); folder = folder.parent_path()) {
        if (std::filesystem::exists(folder.parent_path() / "shared/data/INDEX.md"))
            return folder.parent_path() / "shared/data";
    }
    return {};
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The value of a key in one flat JSON object, as text; strings without escapes, which is what these files have.
std::string json_value(std::string_view object, std::string_view key) {
    const std::string quoted = "\"" + std::string(key) + "\": ";
    const std::size_t at = object.find(quoted);
    if (at == std::string_view::npos) return {};
    std::string_view rest = object.substr(at + quoted.size());
    if (rest.starts_with('"')) return std::string(rest.substr(1, rest.find('"', 1) - 1));
    return std::string(rest.substr(0, rest.find_first_of(",}")));
}

/// A JSON string with its escapes (\n, \r, \", \\, ASCII \u) resolved.
std::string json_text(std::string_view object, std::string_view key) {
    const std::string quoted = "\"" + std::string(key) + "\": \"";
    std::size_t at = object.find(quoted);
    if (at == std::string_view::npos) return {};
    std::string text;
    for (at += quoted.size(); at < object.size() && object[at] != '"'; ++at) {
        if (object[at] != '\\') {
            text += object[at];
            continue;
        }
        const char c = object[++at];
        if (c == 'u') {
            text += static_cast<char>(std::strtoul(std::string(object.substr(at + 1, 4)).c_str(), nullptr, 16));
            at += 4;
        } else {
            text += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
    }
    return text;
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

/// Where each stream's media goes, and which are rejected; ports alone as "port" because the peer's are not fixed.
std::string addresses_of(const Document& doc) {
    std::string all;
    for (const Media& media : doc.media()) {
        const auto rtp = doc.rtp_endpoint(media);
        all += std::string(media.kind) + " " +
               (media.rejected() ? "rejected"
                : rtp            ? to_string(rtp->address) + " port"
                                 : "nowhere") +
               "\n";
    }
    return all;
}

}  // namespace

TEST_CASE("sdp::Document finds every field of the collected descriptions at its offset") {
    const auto data = data_folder();
    if (data.empty()) {
        MESSAGE("skipped: no shared/data beside this checkout");
        return;
    }
    std::ifstream truth(data / "truth/sdp_fields.jsonl");
    REQUIRE(truth);
    unsigned fields = 0;
    for (std::string line; std::getline(truth, line);) {
        const std::string file = json_value(line, "file");
        CAPTURE(file);
        const std::string text = read_file(data / file);
        REQUIRE(std::to_string(text.size()) == json_value(line, "size"));
        const std::size_t list = line.find("\"fields\": [");
        const auto doc = Document::parse(text);
        if (!doc) {  // only what has nothing to find
            CHECK(line.substr(list) == "\"fields\": []}");
            continue;
        }
        std::map<std::string, bool> found;  // "kind offset text"
        for (const Field& field : doc->fields()) {
            for (const auto& [span, what] : {std::pair{field.address, "addr"}, std::pair{field.port, "port"}}) {
                const std::string kind = field.kind == FieldKind::related ? "a=candidate-raddr" : to_string(field.kind);
                if (!span.empty())
                    found[kind + what + std::to_string(span.offset) + std::string(doc->text(span))] = true;
            }
        }
        std::stringstream objects(line.substr(list));
        for (std::string object; std::getline(objects, object, '{');) {
            const std::string kind = json_value(object, "kind");
            if (kind.empty()) continue;
            for (const std::string what : {"addr", "port"}) {
                std::string value = json_value(object, what);
                std::string offset = json_value(object, what + "_off");
                if (value.empty()) continue;
                if (kind == "a=remote-candidates") {  // the truth has the whole list: take its first address
                    const std::size_t first = value.find(' ') + 1;
                    offset = std::to_string(std::stoul(offset) + first);
                    value = value.substr(first, value.find(' ', first) - first);
                }
                CAPTURE(kind);
                CAPTURE(value);
                CAPTURE(offset);
                CHECK(found.contains(kind + what + offset + value));
                ++fields;
            }
        }
        const auto kept = rewrite(*doc, std::vector<std::optional<MediaTarget>>(doc->media().size()));
        REQUIRE(kept);
        CHECK(kept->text == text);
    }
    CHECK(fields > 400);
}

TEST_CASE("sdp::rewrite gives the addresses that rtpengine's own tests expect") {
    const auto data = data_folder();
    if (data.empty()) {
        MESSAGE("skipped: no shared/data beside this checkout");
        return;
    }
    std::ifstream pairs(data / "sdp/sipwise+rtpengine/rtpengine_pairs.jsonl");
    REQUIRE(pairs);
    unsigned compared = 0;
    unsigned ports = 0;
    for (std::string line; std::getline(pairs, line);) {
        if (json_value(line, "plain_rewrite") != "true") continue;
        const std::string flags = json_text(line, "flags");
        // What these ask for is another tool's work: other streams, other music, another family for hold.
        if (flags.find("media-remove") != std::string::npos || flags.find("moh") != std::string::npos) continue;
        const std::string name = json_value(line, "file") + " " + json_text(line, "name");
        CAPTURE(name);
        CAPTURE(flags);
        const auto before = Document::parse(json_text(line, "sdp_in"));
        const auto expected = Document::parse(replace_all(json_text(line, "sdp_out_pattern"), "PORT", "40000"));
        if (!before || !expected || before->media().size() != expected->media().size()) continue;
        std::vector<std::optional<MediaTarget>> targets(before->media().size());
        for (std::size_t i = 0; i < targets.size(); ++i) {
            const auto rtp = expected->rtp_endpoint(expected->media()[i]);
            if (rtp && !rtp->address.is_unspecified())
                targets[i] =
                    MediaTarget{.rtp = {.address = rtp->address, .port = static_cast<std::uint16_t>(40000 + 10 * i)}};
            // Hold: natkit keeps 0.0.0.0 where it stands.
            if (rtp && rtp->address.is_unspecified())
                targets[i] = MediaTarget{
                    .rtp = *Endpoint::parse(rtp->address.is_v4() ? "203.0.113.1:40000" : "[2001:db8::1]:40000")};
        }
        const auto ours = rewrite(*before, targets);
        REQUIRE(ours);
        const auto after = Document::parse(ours->text);
        REQUIRE(after);
        CAPTURE(ours->text);
        bool held = false;
        for (const Media& media : before->media()) held = held || before->zero_address_hold(media);
        if (held && flags.find("zero address") != std::string::npos) continue;  // asked to put an address there
        std::string theirs = addresses_of(*expected);
        for (std::size_t i = 0; i < targets.size();
             ++i) {  // streams that the peer rejects, or turns into others (T.38)
            if (expected->media()[i].rejected() != before->media()[i].rejected()) theirs.clear();
            if (expected->media()[i].kind != before->media()[i].kind) theirs.clear();
        }
        if (theirs.empty()) continue;
        CHECK(addresses_of(*after) == theirs);
        ++compared;
        // The pairs leave the numbers open; where RTCP stands in relation to RTP they do not.
        for (std::size_t i = 0; i < targets.size(); ++i) {
            const Media& media = after->media()[i];
            if (!targets[i] || media.rejected() || before->zero_address_hold(before->media()[i])) continue;
            CHECK(after->rtp_endpoint(media) == targets[i]->rtp);
            Endpoint rtcp = targets[i]->rtp;
            if (!media.rtcp_mux) ++rtcp.port;
            CHECK(after->rtcp_endpoint(media) == rtcp);
            const auto rtcp_host = media.rtcp ? after->address(*media.rtcp) : std::nullopt;
            if (rtcp_host) CHECK(*rtcp_host == expected->rtcp_endpoint(expected->media()[i])->address);
            ++ports;
        }
    }
    CHECK(compared > 400);
    CHECK(ports > 300);
}
