// Texts from which names and addresses are taken out: any bytes end, and the same text twice gives the same.
//
// links: explain_engine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "natkit/engine/explain/anonymize/anonymizer.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    explain::Anonymizer names;
    names.learn(text);
    const std::string once = names.text(text);
    if (once != names.text(text)) std::abort();
    (void)names.record(text);
    return 0;
}
