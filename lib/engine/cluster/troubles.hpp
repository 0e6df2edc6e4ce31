#pragma once

#include <map>
#include <string>
#include <vector>

#include "natkit/engine/log/log.hpp"

namespace natkit::cluster {

/// What does not work at present, one text a kind: told in `status`, and to the log when it begins, changes and ends.
class Troubles {
  public:
    explicit Troubles(log::Logger& log) : log_(log) {}

    /// Gives whether that is news.
    bool set(const std::string& kind, const std::string& text) {
        auto& known = texts_[kind];
        if (known == text) return false;
        known = text;
        log_.failures(text);
        return true;
    }
    bool clear(const std::string& kind) {
        const auto found = texts_.find(kind);
        if (found == texts_.end()) return false;
        log_.major("no longer: " + found->second);
        texts_.erase(found);
        return true;
    }
    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> texts;
        texts.reserve(texts_.size());
        for (const auto& [kind, text] : texts_) texts.push_back(text);
        return texts;
    }
    [[nodiscard]] bool has(const std::string& kind) const { return texts_.contains(kind); }

  private:
    log::Logger& log_;
    std::map<std::string, std::string> texts_;
};

}  // namespace natkit::cluster
