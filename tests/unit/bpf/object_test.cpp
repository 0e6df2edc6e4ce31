#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "natkit/bpf/support.hpp"

#ifdef NATKIT_WITH_BPF
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "object.hpp"
#endif

namespace natkit::bpf {

TEST_CASE("bpf::may_load says why where BPF cannot be used") {
    const auto answer = may_load();
    if (answer) {
        CHECK(built_with_bpf());
        return;
    }
    CAPTURE(answer.error().message);
    CHECK_FALSE(answer.error().message.empty());
    CHECK(answer.error().code == (built_with_bpf() ? Errc::refused : Errc::not_found));
    MESSAGE("BPF cannot be loaded here: ", to_string(answer.error()));
}

#ifdef NATKIT_WITH_BPF
TEST_CASE("bpf::Object: failures are values that name the object and carry libbpf's words") {
    constexpr std::array<unsigned char, 16> garbage{1, 2, 3};
    const auto bad = Object::open(garbage, "garbage");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.starts_with("garbage: open"));

    auto probe = Object::open(probe_object, "probe");
    REQUIRE(probe);
    CHECK(probe->pin("nothing", "/nowhere").error().code == Errc::not_found);
    CHECK(probe->map_fd("nothing").error().message == "probe: no map 'nothing'");
    CHECK(probe->program_fd("nothing").error().message == "probe: no program 'nothing'");
}

TEST_CASE("bpf: what a program has on the stack is written eight bytes at once, or one time") {
    // Before Linux 6.8 a program without CAP_PERFMON may not write over a part of eight bytes of the stack.
    for (const auto& [bytes, name] :
         {std::pair{flow_table_object, "flow_table"}, std::pair{steering_object, "steering"}}) {
        const auto object = Object::open(bytes, name);
        REQUIRE(object);
        bpf_program* program = nullptr;
        while ((program = bpf_object__next_program(object->get(), program)) != nullptr) {
            std::map<int, std::vector<int>> stores;  // their sizes, by eight bytes of the stack
            for (const bpf_insn& each : std::span(bpf_program__insns(program), bpf_program__insn_cnt(program))) {
                const int kind = BPF_CLASS(each.code);
                const bool store = (kind == BPF_ST || kind == BPF_STX) && BPF_MODE(each.code) == BPF_MEM;
                if (store && each.dst_reg == BPF_REG_10) stores[(7 - each.off) / 8].push_back(BPF_SIZE(each.code));
            }
            for (const auto& [place, sizes] : stores) {
                CAPTURE(std::string(name) + ": " + bpf_program__name(program) + ", fp-" + std::to_string(8 * place));
                CHECK((sizes.size() == 1 || std::ranges::all_of(sizes, [](int size) { return size == BPF_DW; })));
            }
        }
    }
}
#endif

}  // namespace natkit::bpf
