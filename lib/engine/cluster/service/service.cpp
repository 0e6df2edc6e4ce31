#include "natkit/engine/cluster/service.hpp"

#include "../pair/pair.hpp"
#include "../service_impl.hpp"
#include "../several/several.hpp"

namespace natkit::cluster {

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, Options options, config::Config config) {
    std::unique_ptr<Service> service(new Service);
    const auto standing = standing_at_start(config.cluster, options.runtime_dir);
    if (!standing) return fail(Errc::bad_config, "[cluster] state: nothing to do without it");
    if (config.cluster.peers.empty()) {
        service->impl_ = std::make_unique<Pair>(loop, std::move(options), config, *standing);
    } else {
        service->impl_ = std::make_unique<Several>(loop, std::move(options), config, *standing);
    }
    if (const auto serving = service->impl_->serve(); !serving) return std::unexpected(serving.error());
    service->impl_->start();
    return service;
}

Service::~Service() = default;

}  // namespace natkit::cluster
