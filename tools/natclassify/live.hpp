#pragma once

#include "natkit/base/error.hpp"
#include "natkit/capture/packet_reader.hpp"

namespace natkit::natclassify {

/// From now on SIGINT and SIGTERM end the reading, not the program: what is known is still told. A second one ends the
/// program. Who is fed by a pipe (`tcpdump -w - | natclassify`) has a moment more: the same key press stops the writer,
/// and what it still writes counts.
void stop_on_signals();
/// Whether reading is to end; asked while there is nothing to read, and from then on signals do as said.
[[nodiscard]] bool stop_wanted();

/// Opens an interface, and gives privileges up.
[[nodiscard]] Result<capture::PacketReader> open_interface(const std::string& name);
/// Opens the endpoint that agents send HEP to, and gives privileges up.
[[nodiscard]] Result<capture::PacketReader> open_hep(const std::string& endpoint);

}  // namespace natkit::natclassify
