#include "object.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace natkit::bpf {

namespace {

/// What libbpf warned of since the last failure. Bounded: the log of the verifier has thousands of lines, and the last
/// count.
thread_local std::string libbpf_words;
constexpr std::size_t most_words = 600;

int collect_words(libbpf_print_level level, const char* format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    std::string text(static_cast<std::size_t>(std::max(length, 0)), ' ');
    if (length > 0) std::vsnprintf(text.data(), text.size() + 1, format, again);
    va_end(again);
    libbpf_words += text;
    if (libbpf_words.size() > most_words) libbpf_words.erase(0, libbpf_words.size() - most_words);
    return length;
}

/// On one line, without "libbpf: ".
std::string take_words() {
    std::string words = std::exchange(libbpf_words, {});
    for (std::size_t at = 0; (at = words.find("libbpf: ", at)) != std::string::npos;) words.erase(at, 8);
    while (!words.empty() && words.back() == '\n') words.pop_back();
    for (std::size_t at = 0; (at = words.find('\n', at)) != std::string::npos; at += 2) words.replace(at, 1, "; ");
    return words;
}

}  // namespace

void keep_libbpf_quiet() {
    [[maybe_unused]] static const auto before = libbpf_set_print(collect_words);
    libbpf_words.clear();
}

std::unexpected<Error> fail_bpf(const std::string& what, int error) {
    const int number = std::abs(error);
    auto failure = fail_errno(what, number);
    if (number == EPERM || number == EACCES) failure.error().code = Errc::refused;
    if (const std::string words = take_words(); !words.empty()) failure.error().message += " (" + words + ")";
    return failure;
}

void Object::Close::operator()(bpf_object* object) const noexcept {
    bpf_object__close(object);
}

Result<Object> Object::open(std::span<const unsigned char> bytes, const char* name) {
    keep_libbpf_quiet();
    bpf_object_open_opts options{};
    options.sz = sizeof options;
    options.object_name = name;
    bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), &options);
    if (object == nullptr) return fail_bpf(std::string(name) + ": open", errno);
    return Object(object, name);
}

Result<bpf_map*> Object::find_map(const char* map) const {
    if (bpf_map* found = bpf_object__find_map_by_name(object_.get(), map)) return found;
    return fail(Errc::not_found, std::string(name_) + ": no map '" + map + "'");
}

Result<bpf_program*> Object::find_program(const char* program) const {
    if (bpf_program* found = bpf_object__find_program_by_name(object_.get(), program)) return found;
    return fail(Errc::not_found, std::string(name_) + ": no program '" + program + "'");
}

Result<void> Object::pin(const char* map, const std::string& path) {
    const auto found = find_map(map);
    if (!found) return std::unexpected(found.error());
    const int status = bpf_map__set_pin_path(*found, path.c_str());
    if (status != 0) return fail_bpf(std::string(name_) + ": pin " + path, status);
    return {};
}

Result<void> Object::set_capacity(const char* map, unsigned entries) {
    const auto found = find_map(map);
    if (!found) return std::unexpected(found.error());
    const int status = bpf_map__set_max_entries(*found, entries);
    if (status != 0) return fail_bpf(std::string(name_) + ": size of " + map, status);
    return {};
}

Result<void> Object::load() {
    libbpf_words.clear();
    const int status = bpf_object__load(object_.get());
    if (status != 0) return fail_bpf(std::string(name_) + ": load", status);
    return {};
}

Result<int> Object::map_fd(const char* map) const {
    const auto found = find_map(map);
    if (!found) return std::unexpected(found.error());
    return bpf_map__fd(*found);
}

Result<int> Object::program_fd(const char* program) const {
    const auto found = find_program(program);
    if (!found) return std::unexpected(found.error());
    return bpf_program__fd(*found);
}

}  // namespace natkit::bpf
