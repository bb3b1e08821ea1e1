// What the files of lies share: what a service knows of an account, and how it forges a statement.
// Test-only.
#pragma once

#include <map>

#include "circle/vault_chain.h"
#include "crypto/ed25519.h"
#include "hostile/attacks.h"
#include "support/circle_maker.h"

namespace holdfast::hostile {

using circle::BlobKind;
using circle::BlobSlot;
using circle::Circle;
using circle::StatementType;
using Honest = Lies::Honest;
using Page = std::vector<Bytes>;

// Each file's lies, by name; attack() looks in all of them.
using AttackTable = std::map<std::string_view, std::function<Lies()>>;
const AttackTable& key_attacks();
const AttackTable& statement_attacks();
const AttackTable& record_attacks();
const AttackTable& admission_attacks();
const AttackTable& level_attacks();

// For lies that read an honest account: it is there, or the test is wrong.
template <class T>
T sure(Result<T> result) {
  HF_CHECK(result.ok());
  return std::move(result).value();
}

// ---- what the service knows ----

struct Place {
  std::uint32_t epoch = 0;
  BlobSlot slot;
};
std::optional<Place> place_of(const Circle& circle, const BlobId& blob);
circle::Record record_in(const Bytes& signed_record);
std::vector<circle::VaultHead> heads_of(Honest& honest, const Circle& circle);
// What it can tell of a pack: key segments, indexes and snapshots stand in records.
std::string_view kind_of(Honest& honest, const PackId& pack, std::size_t size);
// The snapshot of the account's oldest record, or for that one of its newest.
Bytes another_pack(Honest& honest, const PackId& pack);

// ---- what it makes ----

// Whose key it signs with, where it has no better one.
const testkit::TestDevice& ghost();

using Alter = std::function<void(circle::Statement& statement)>;
// The signature stays.
Bytes altered(const Bytes& signed_statement, const Alter& alter);

// The next statement of the account, in the name of its first member.
circle::Draft next_draft(const Circle& circle, StatementType type, Bytes body);
// With as many blobs as the circle asks for; there are none.
circle::EpochInfo standing_epoch(Honest& honest, const Circle& circle, std::size_t blobs);

// The account is shown with one more statement at its end.
using MakeStatement = std::function<Bytes(Honest& honest, const Circle& circle)>;
Lies add_statement(MakeStatement make);
// One that the ghost signed.
using Forge = std::function<circle::Draft(Honest& honest, const Circle& circle)>;
Lies forge_statement(Forge forge);

// "The account is at the standard level again": with a custodian that this fleet issued, signed by
// the ghost or by the fleet in the name of the account's first member, or by the fleet as itself.
enum class LoweredBy { kGhost, kFleetAsMember, kFleet };
Bytes lowering_statement(Honest& honest, const Circle& circle, const crypto::Ed25519Key& fleet,
                         LoweredBy by);
// By the provider's real fleet key.
Lies level_by_fleet(const std::string& key_file);

}  // namespace holdfast::hostile
