#pragma once

#include <map>
#include <string>
#include <string_view>

#include "natkit/engine/explain/anonymize/address_mask.hpp"

namespace natkit::explain {

/// Takes who is who out of texts that are to be shown to others: users, telephone numbers, display names, host names
/// and addresses become others, the same in each place. What is what stays: ports, methods, tags, codecs, products.
/// Names are known by where they stand (in URIs, Via, o= and digest credentials), then found anywhere; users that are
/// numbers of less than seven digits, or words of this trade, are replaced only where they stand as users. Bounded:
/// 65,536 names; further ones share one.
class Anonymizer {
  public:
    /// Gets to know the names in a message, so that they are found where they stand alone.
    void learn(std::string_view message) { (void)text(message); }
    /// Any text: a message, a sentence, text escaped for HTML.
    [[nodiscard]] std::string text(std::string_view text);
    /// A JSON record on one line: its values. A message that is not UTF-8 (message_base64) is left out.
    [[nodiscard]] std::string record(const std::string& line);

    [[nodiscard]] std::string user(std::string_view user);     ///< "user1", or a number with as many digits
    [[nodiscard]] std::string host(std::string_view host);     ///< "host1.example"; an address is masked
    [[nodiscard]] std::string display(std::string_view name);  ///< "Name 1"

  private:
    struct Scan;
    using Names = std::map<std::string, std::string>;

    AddressMask addresses_;
    Names users_, hosts_, displays_;
};

}  // namespace natkit::explain
