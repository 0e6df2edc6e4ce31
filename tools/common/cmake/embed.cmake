# cmake -DNAME=… -DOBJECT=… -DINTO=… -P embed.cmake: writes the bytes of OBJECT as the C++ source INTO. Text rather than .incbin,
# so that ccache sees what is compiled.
file(READ "${OBJECT}" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE "${INTO}" "#include <span>

namespace natkit::bpf {
namespace {
// libbpf reads it as an ELF file.
alignas(8) constexpr unsigned char ${NAME}_bytes[] = {
${bytes}
};
}  // namespace
extern const std::span<const unsigned char> ${NAME}_object;
const std::span<const unsigned char> ${NAME}_object{${NAME}_bytes};
}  // namespace natkit::bpf
")
