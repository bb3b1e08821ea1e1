// For this module's tests: a device that writes valid statements and records, with keys that open
// nothing.
#pragma once

#include <string>
#include <vector>

#include "api/doors.h"
#include "circle/vault_chain.h"

namespace holdfast::store {

template <class AnyId>
AnyId random_id() {
  AnyId id;
  crypto::random_fill(id.bytes);
  return id;
}

struct TestDevice {
  explicit TestDevice(std::string name) : key(crypto::Key<crypto::SigningPurpose>::random()) {
    info.name = std::move(name);
    info.verify_key = key.verify_key().bytes;
    info.wrap_key = crypto::wrap_public_key(crypto::Key<crypto::WrapPurpose>::random()).bytes;
  }
  ReaderId id() const { return circle::reader_id(info); }

  crypto::SigningKey key;
  circle::DeviceInfo info;
};

// Follows the chain it writes: each function makes what would come next, accept() takes it.
class TestWriter {
 public:
  TestWriter() : device_("first") {}

  api::Append genesis();
  api::Append set_vault(const VaultId& vault, const std::string& name);
  api::Append rotate();
  api::Append set_region(const std::string& region);
  api::Append set_recovery(const LocateId& locate, const Bytes& capsule);
  api::Append admit(const TestDevice& other, const RequestId& request);
  Bytes record(const VaultId& vault);

  void accept(const api::Append& append);
  void accept(const VaultId& vault, const Bytes& record);

  const circle::Circle& circle() const { return *circle_; }

 private:
  circle::EpochInfo epoch(std::uint32_t number, std::size_t blobs, api::Append& to);
  template <class Body>
  api::Append signed_by_device(circle::StatementType type, const Body& body, api::Append append);

  TestDevice device_;
  CircleId id_;
  std::optional<circle::Circle> circle_;
  std::map<VaultId, circle::ChainTip> tips_;
};

}  // namespace holdfast::store
