# cmake -DFOLDER=… -DINTO=… -P embed_pages.cmake: writes the files of FOLDER as the C++ source INTO: a table of names and bytes.
file(GLOB files RELATIVE "${FOLDER}" "${FOLDER}/*")
list(SORT files)
set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS files)
    file(READ "${FOLDER}/${file}" bytes HEX)
    string(REGEX REPLACE "(........................................)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND arrays "constexpr char file_${number}[] = {\n${bytes}};\n")
    string(APPEND rows "    {\"${file}\", std::string_view(file_${number}, sizeof file_${number})},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${INTO}" "#include \"assets.hpp\"

namespace natkit::web {
namespace {
${arrays}constexpr Asset table[] = {
${rows}};
}  // namespace
std::span<const Asset> assets() noexcept {
    return table;
}
}  // namespace natkit::web
")
