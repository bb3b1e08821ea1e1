// A custodian in memory, for tests of who talks to one. Test-only.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <set>

#include "api/custodian.h"
#include "support/circle_maker.h"

namespace holdfast::testkit {

// A custodian in memory: it believes what it is shown, and tells what that was.
class MemoryCustodian final : public api::Custodian {
 public:
  bool away = false;
  bool forges = false;
  bool lost_answer = false;
  std::optional<Error> refuses;
  int destroyed = 0;
  std::atomic<int> issued{0};
  std::uint64_t entries = 0;
  std::set<CircleId> kept;
  std::vector<std::pair<CircleId, ReaderId>> retired;
  std::size_t page_size = api::kMaxNewStatements;
  std::map<CircleId, std::vector<Bytes>> pages;  // what was shown, and is not proven yet
  std::function<void()> during_issue;            // on the thread that asks
  api::CircleEvidence shown;
  crypto::Ed25519Key fleet = testkit::make_fleet();

  Result<Bytes> fleet_key() override {
    TRY(here());
    return to_bytes(fleet.public_key().bytes);
  }
  Result<Bytes> issue(const CircleId& circle) override {
    TRY(here());
    if (during_issue) during_issue();
    ++issued;
    return wire::encode(info(circle));
  }
  Result<void> keep(const CircleId& circle, const ReaderId& key, BytesView) override {
    TRY(here());
    if (key != circle::reader_id(info(circle))) return Error{Code::kNotFound, "no such key"};
    kept.insert(circle);
    return Ok{};
  }
  Result<api::CustodianSeen> seen(const CircleId& circle) override {
    TRY(here());
    return api::CustodianSeen{pages[circle].size(), entries};
  }
  std::size_t page() const override { return page_size; }
  Result<void> show(const CircleId& circle, const api::CircleEvidence& evidence) override {
    TRY(here());
    EXPECT_LE(evidence.statements.size(), page_size);
    for (const Bytes& one : evidence.statements) pages[circle].push_back(one);
    return Ok{};
  }
  Result<void> retire(const CircleId& circle, const ReaderId& key) override {
    TRY(here());
    retired.emplace_back(circle, key);
    return Ok{};
  }
  Result<void> follow(const api::LogView& view) override {
    TRY(here());
    entries += view.leaves.size();
    return Ok{};
  }
  Result<Bytes> destroy(const CircleId& circle, const ReaderId& key,
                        const api::CircleEvidence& evidence) override {
    TRY(here());
    if (refuses) return *refuses;
    shown = evidence;
    ++destroyed;
    circle::DeletionReceipt receipt;
    receipt.circle = circle;
    receipt.custodian = key;
    if (lost_answer) return Error{Code::kUnavailable, "the line broke"};
    if (forges) return circle::sign_receipt(testkit::make_fleet("other"), receipt);
    return circle::sign_receipt(fleet, receipt);
  }

  circle::CustodianInfo info(const CircleId& circle) const {
    const auto keys = testkit::make_signer("custodian of " + circle.hex());
    return circle::sign_custodian(fleet, circle, crypto::wrap_public_key(*keys.wrap));
  }

 private:
  Result<void> here() const {
    if (away) return Error{Code::kUnavailable, "the custodian does not answer"};
    return Ok{};
  }
};

}  // namespace holdfast::testkit
