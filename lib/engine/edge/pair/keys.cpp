#include "keys.hpp"

#include <filesystem>

#include "natkit/crypto/crypto.hpp"
#include "natkit/crypto/sealed_memory.hpp"
#include "natkit/store/secret.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t remembered_tokens = 256;  ///< some 300 bytes each

sip::Cipher cipher_with(std::span<const std::uint8_t, 32> key) {
    const crypto::Siv siv(key);
    const auto memory = std::make_shared<crypto::SealedMemory>(remembered_tokens);
    return {.seal =
                [siv, memory](auto plain, auto context) {
                    auto sealed = siv.seal(plain, context);
                    memory->note(sealed, context, plain);
                    return sealed;
                },
            .open =
                [siv, memory](auto sealed, auto context) {
                    if (auto known = memory->find(sealed, context)) return known;
                    auto plain = siv.open(sealed, context);
                    if (plain) memory->note(sealed, context, *plain);
                    return plain;
                }};
}

/// What is made of one key.
struct OfKey {
    explicit OfKey(const config::ClusterKeys::Key& key) : mac(crypto::Hmac(key)) {
        constexpr std::string_view purpose = "AES-SIV of flow tokens";
        cipher = cipher_with(mac({reinterpret_cast<const std::uint8_t*>(purpose.data()), purpose.size()}));
    }

    sip::Mac mac;
    sip::Cipher cipher;
};

}  // namespace

struct Keys::Made {
    explicit Made(const config::ClusterKeys& keys) : first(keys.first) {
        if (keys.second) second.emplace(*keys.second);
    }

    OfKey first;
    std::optional<OfKey> second;
};

Keys::Keys(const config::ClusterKeys& keys) : made_(std::make_shared<Made>(keys)) {}

Result<Keys> Keys::load(const config::Config& config, const std::string& runtime_dir, WallTime now) {
    if (config.cluster.state) {
        const auto shared = config::load_cluster_keys(config.cluster.key);
        if (!shared) return std::unexpected(shared.error().front());
        Keys keys(*shared);
        keys.of_cluster_ = true;
        return keys;
    }
    const std::string& state = config.registrar.state;
    const auto folder = state.empty() ? std::filesystem::path(runtime_dir) : std::filesystem::path(state).parent_path();
    const std::string path = (folder / "secret").string();
    const auto since = store::used_since(path, now);
    const auto key = store::load_or_make_secret(path, crypto::random_bytes);
    if (!key) return std::unexpected(key.error());
    Keys keys({.first = *key, .second = std::nullopt});
    keys.encrypts_since_ = since;
    return keys;
}

Result<void> Keys::load_again(const config::Config& config) {
    if (!of_cluster_ || !config.cluster.state) return {};
    const auto keys = config::load_cluster_keys(config.cluster.key);
    if (!keys) return std::unexpected(keys.error().front());
    *made_ = Made(*keys);
    return {};
}

Secrets Keys::secrets() const {
    return {
        .random_hex = [] { return crypto::random_hex(8); },
        .mac = [made = made_](auto text) { return made->first.mac(text); },
        .cipher = {.seal = [made = made_](auto plain, auto context) { return made->first.cipher.seal(plain, context); },
                   .open =
                       [made = made_](auto sealed, auto context) {
                           auto plain = made->first.cipher.open(sealed, context);
                           if (!plain && made->second) plain = made->second->cipher.open(sealed, context);
                           return plain;
                       }},
        .hash =
            [](sip::DigestAlgorithm algorithm, std::string_view text) {
                return algorithm == sip::DigestAlgorithm::md5 ? crypto::md5_hex(text) : crypto::sha256_hex(text);
            },
        .encrypts_since = encrypts_since_};
}

}  // namespace natkit::edge
