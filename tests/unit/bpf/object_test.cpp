#include <array>
#include <string>

#include <doctest/doctest.h>

#include "natkit/bpf/support.hpp"

#ifdef NATKIT_WITH_BPF
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
#endif

}  // namespace natkit::bpf
