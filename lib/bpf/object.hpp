#pragma once

#include <memory>
#include <span>
#include <string>

#include "natkit/base/error.hpp"

struct bpf_object;
struct bpf_map;
struct bpf_program;

namespace natkit::bpf {

/// The files *.bpf.c of this folder as clang made them, embedded by tools/common/cmake/NatkitBpf.cmake.
extern const std::span<const unsigned char> probe_object;
extern const std::span<const unsigned char> flow_table_object;
extern const std::span<const unsigned char> steering_object;

/// A set of BPF programs and maps: opened from bytes, prepared, loaded into the kernel. What it holds in the kernel
/// goes with it, but for what is pinned or attached by then.
class Object {
  public:
    /// Reads the bytes; nothing is in the kernel yet. `name` is for messages and must outlive the object (a literal).
    [[nodiscard]] static Result<Object> open(std::span<const unsigned char> bytes, const char* name);

    /// Before load(): the map is taken from this path of a bpffs where it lies there already with the same shape, and
    /// pinned there where not.
    [[nodiscard]] Result<void> pin(const char* map, const std::string& path);
    /// Before load(): how many entries the map has room for.
    [[nodiscard]] Result<void> set_capacity(const char* map, unsigned entries);
    /// Verifies the programs and makes the maps. Errc::refused where the process lacks the right, with the words of
    /// libbpf.
    [[nodiscard]] Result<void> load();

    /// After load(): descriptors that belong to the object. Errc::not_found for a name that the source does not have.
    [[nodiscard]] Result<int> map_fd(const char* map) const;
    [[nodiscard]] Result<int> program_fd(const char* program) const;
    [[nodiscard]] Result<bpf_program*> find_program(const char* program) const;

    /// For what libbpf does with them beyond this.
    [[nodiscard]] bpf_object* get() const noexcept { return object_.get(); }

  private:
    struct Close {
        void operator()(bpf_object* object) const noexcept;
    };
    Object(bpf_object* object, const char* name) noexcept : object_(object), name_(name) {}
    [[nodiscard]] Result<bpf_map*> find_map(const char* map) const;

    std::unique_ptr<bpf_object, Close> object_;
    const char* name_;
};

/// The failure of a call of libbpf or of bpf(2), `error` being its errno (of any sign): "flow_table: load: …", and what
/// libbpf said to it. EPERM and EACCES are Errc::refused.
[[nodiscard]] std::unexpected<Error> fail_bpf(const std::string& what, int error);

/// libbpf's own words go into the next failure of this thread instead of to stderr. Called before its first function.
void keep_libbpf_quiet();

}  // namespace natkit::bpf
