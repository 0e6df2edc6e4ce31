#include "natkit/crypto/sealed_memory.hpp"

#include <doctest/doctest.h>

using namespace natkit;

namespace {

std::vector<std::uint8_t> bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("SealedMemory: the very text in the very context, until a newer one takes its place") {
    crypto::SealedMemory memory(1);
    CHECK_FALSE(memory.find(bytes(""), bytes("")));
    memory.note(bytes("sealed"), bytes("call-1"), bytes("plain"));
    for (int i = 0; i < 2; ++i) CHECK(memory.find(bytes("sealed"), bytes("call-1")) == bytes("plain"));
    CHECK_FALSE(memory.find(bytes("sealed"), bytes("call-2")));
    CHECK_FALSE(memory.find(bytes("sealedcall"), bytes("-1")));
    CHECK_FALSE(memory.find(bytes("seale"), bytes("dcall-1")));
    memory.note(bytes("other"), bytes("call-1"), bytes(""));
    CHECK(memory.find(bytes("other"), bytes("call-1")) == bytes(""));
    CHECK_FALSE(memory.find(bytes("sealed"), bytes("call-1")));
}
