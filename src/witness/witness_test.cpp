// Requests written out as C2SP tlog-witness has them, proofs by the book (RFC 6962 section 2.1),
// and answers taken apart here: nothing of tlog's own request and answer code is used.
#include "witness/witness.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tlog/base64.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::witness {
namespace {

namespace fs = std::filesystem;
using tlog::testkit::any_entry;
using tlog::testkit::naive_root;
using tlog::testkit::seed;
using Entries = std::vector<Bytes>;

Entries first_entries(std::size_t count) {
  Entries entries;
  for (std::size_t n = 0; n < count; ++n) entries.push_back(any_entry(n));
  return entries;
}
Entries other_entries(std::size_t shared, std::size_t count) {
  Entries entries = first_entries(count);
  for (std::size_t n = shared; n < count; ++n) entries[n] = {9};
  return entries;
}

// SUBPROOF(m, D[begin:end], whole), RFC 6962 section 2.1.2.
void subproof(std::size_t m, const Entries& d, std::size_t begin, std::size_t end, bool whole,
              std::vector<Digest>& out) {
  const std::size_t n = end - begin;
  if (m == n) {
    if (!whole) out.push_back(naive_root(d, begin, end));
    return;
  }
  std::size_t k = 1;
  while (k * 2 < n) k *= 2;
  if (m <= k) {
    subproof(m, d, begin, begin + k, whole, out);
    out.push_back(naive_root(d, begin + k, end));
  } else {
    subproof(m - k, d, begin + k, end, false, out);
    out.push_back(naive_root(d, begin, begin + k));
  }
}
std::vector<Digest> proof(std::size_t m, const Entries& d) {
  std::vector<Digest> out;
  if (m > 0) subproof(m, d, 0, d.size(), true, out);
  return out;
}

std::string text_of(const std::string& origin, const Entries& entries) {
  return origin + "\n" + std::to_string(entries.size()) + "\n" +
         tlog::base64_encode(naive_root(entries, 0, entries.size()).view()) + "\n";
}
std::string request(const std::string& old, const std::vector<Digest>& hashes,
                    const std::string& note) {
  std::string body = "old " + old + "\n";
  for (const Digest& hash : hashes) body += tlog::base64_encode(hash.view()) + "\n";
  return body + "\n" + note;
}

class WitnessOfLogs : public testing::Test {
 protected:
  WitnessOfLogs() {
    folder_ = testing::TempDir() + "witness-XXXXXX";
    HF_CHECK(::mkdtemp(folder_.data()) != nullptr);
    start();
  }
  ~WitnessOfLogs() override {
    witness_.reset();
    fs::remove_all(folder_);
  }

  Options options(const std::string& data) const {
    return {data, "witness.example/w1", {log_.key(), second_.key()}};
  }
  void start() {
    witness_.reset();
    auto opened = Witness::open(options(folder_ + "/data"), clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    witness_ = std::move(opened).value();
  }
  // As a kill leaves it: the bytes that are on the disk while the program still runs.
  std::unique_ptr<Witness> as_after_a_kill() {
    const std::string copy = folder_ + "/killed-" + std::to_string(++copies_);
    fs::copy(folder_ + "/data", copy, fs::copy_options::recursive);
    return std::move(Witness::open(options(copy), clock_)).value();
  }

  std::string signed_by(const tlog::LogSigner& log, const std::string& text) const {
    return text + "\n" + line(log.sign(text));
  }
  static std::string line(const tlog::NoteSignature& signature) {
    return tlog::format_signatures({signature});
  }
  std::string note(const Entries& entries) const {
    return signed_by(log_, text_of("log.example/1", entries));
  }
  std::string grown(std::size_t from, std::size_t to) const {
    return request(std::to_string(from), proof(from, first_entries(to)), note(first_entries(to)));
  }
  Answer ask(const std::string& body) { return witness_->add_checkpoint(as_bytes(body)); }
  unsigned status(const std::string& body) { return ask(body).status; }

  void expect_conflict(const Answer& answer, const std::string& size) {
    EXPECT_EQ(answer.status, 409u);
    EXPECT_EQ(answer.content_type, "text/x.tlog.size");
    EXPECT_EQ(as_text(answer.body), size);
  }
  // Without effect: the witness still has the tree of this size.
  void expect_size(const std::string& size) { expect_conflict(ask(grown(39, 40)), size); }

  std::string folder_;
  int copies_ = 0;
  const tlog::LogSigner log_{"log.example/1", seed(1)};
  const tlog::LogSigner second_{"log.example/2", seed(2)};
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(1'700'000'000'000);
  std::unique_ptr<Witness> witness_;
};

TEST_F(WitnessOfLogs, AnswersWithOneCosignatureLine) {
  const Answer answer = ask(grown(0, 7));
  ASSERT_EQ(answer.status, 200u) << as_text(answer.body);
  const std::string body(as_text(answer.body));
  const std::string begin = "\u2014 witness.example/w1 ";
  ASSERT_TRUE(body.starts_with(begin) && body.ends_with("\n")) << body;
  EXPECT_EQ(std::ranges::count(body, '\n'), 1);
  // tlog-cosignature: key id, time in 8 bytes, Ed25519 over the text below.
  const auto bytes = tlog::base64_decode(body.substr(begin.size(), body.size() - begin.size() - 1));
  ASSERT_TRUE(bytes && bytes->size() == 4 + 8 + 64);
  Bytes named = to_bytes(as_bytes("witness.example/w1\n\x04"));
  append(named, witness_->key().key.bytes);
  EXPECT_EQ(to_hex(BytesView(*bytes).first(4)), to_hex(crypto::sha256(named).view().first(4)));
  EXPECT_EQ(to_hex(BytesView(*bytes).subspan(4, 8)), "000000006553f100");
  const std::string said =
      "cosignature/v1\ntime 1700000000\n" + text_of("log.example/1", first_entries(7));
  crypto::Ed25519Signature signature{};
  std::ranges::copy(BytesView(*bytes).subspan(12), signature.begin());
  EXPECT_TRUE(crypto::ed25519_verify(witness_->key().key, as_bytes(said), signature));
}

TEST_F(WitnessOfLogs, FollowsALogAsItGrows) {
  for (const auto& [from, to] : {std::pair{0u, 1u}, {1u, 1u}, {1u, 2u}, {2u, 7u}, {7u, 40u}})
    EXPECT_EQ(status(grown(from, to)), 200u) << from << " to " << to;
  expect_size("40\n");
}

TEST_F(WitnessOfLogs, CosignsTheEmptyTreeAndNoOtherOfItsSize) {
  EXPECT_EQ(status(grown(0, 0)), 200u);
  const std::string other =
      "log.example/1\n0\n" + tlog::base64_encode(naive_root(first_entries(1), 0, 1).view()) + "\n";
  EXPECT_EQ(status(request("0", {}, signed_by(log_, other))), 409u);
  EXPECT_EQ(status(grown(0, 5)), 200u);
}

TEST_F(WitnessOfLogs, SaysWhichSizeItHasWhereTheOldSizeIsAnother) {
  expect_conflict(ask(grown(3, 7)), "0\n");
  ASSERT_EQ(status(grown(0, 20)), 200u);
  expect_conflict(ask(grown(0, 30)), "20\n");
  expect_conflict(ask(grown(21, 30)), "20\n");
  // Rolled back, and that tree again.
  expect_conflict(ask(grown(0, 10)), "20\n");
  expect_conflict(ask(grown(10, 10)), "20\n");
}

TEST_F(WitnessOfLogs, CosignsTheSameTreeAgainAtAnotherTime) {
  const Answer first = ask(grown(0, 20));
  clock_->advance(60'000);
  const Answer again = ask(grown(20, 20));
  ASSERT_EQ(again.status, 200u);
  EXPECT_NE(first.body, again.body);
}

TEST_F(WitnessOfLogs, RefusesAFork) {
  ASSERT_EQ(status(grown(0, 20)), 200u);
  // Of the same size: 409; of a larger one, no proof fits.
  expect_conflict(ask(request("20", {}, note(other_entries(19, 20)))), "20\n");
  const Entries fork = other_entries(15, 30);
  EXPECT_EQ(status(request("20", proof(20, fork), note(fork))), 422u);
  EXPECT_EQ(status(request("20", proof(20, first_entries(30)), note(fork))), 422u);
  expect_size("20\n");
}

TEST_F(WitnessOfLogs, KeepsBothNotesOfAContradiction) {
  ASSERT_EQ(status(grown(0, 20)), 200u);
  EXPECT_EQ(ask(grown(0, 20)).alarm, "");
  EXPECT_EQ(ask(grown(0, 10)).alarm, "");
  const std::string fork = note(other_entries(19, 20));
  const std::string alarm = ask(request("20", {}, fork)).alarm;
  EXPECT_EQ(ask(request("20", {}, fork)).alarm, alarm);
  const std::size_t at = alarm.find(folder_);
  ASSERT_NE(at, std::string::npos) << alarm;
  const Bytes kept = *read_file(alarm.substr(at), 10'000);
  EXPECT_EQ(as_text(kept).find(note(first_entries(20))), 0u);
  EXPECT_NE(as_text(kept).find(fork), std::string_view::npos);
  EXPECT_NE(ask(request("20", {}, note(other_entries(3, 30)))).alarm, "");
}

TEST_F(WitnessOfLogs, RefusesAProofThatIsFalseOrMissingOrNotWanted) {
  const auto zero = Digest();
  EXPECT_EQ(status(request("0", {zero}, note(first_entries(7)))), 422u);
  ASSERT_EQ(status(grown(0, 20)), 200u);
  const std::vector<Digest> good = proof(20, first_entries(30));
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i].bytes[31] ^= 1U;
    EXPECT_EQ(status(request("20", bad, note(first_entries(30)))), 422u) << i;
  }
  EXPECT_EQ(status(request("20", {}, note(first_entries(30)))), 422u);
  EXPECT_EQ(status(request("20", {zero}, note(first_entries(20)))), 422u);
  auto longer = good;
  while (longer.size() < 63) longer.push_back(zero);
  EXPECT_EQ(status(request("20", longer, note(first_entries(30)))), 422u);
  longer.push_back(zero);
  EXPECT_EQ(status(request("20", longer, note(first_entries(30)))), 400u);
  expect_size("20\n");
}

TEST_F(WitnessOfLogs, KnowsNoOtherOrigin) {
  const Entries entries = first_entries(7);
  const std::string text = text_of("log.example/3", entries);
  EXPECT_EQ(status(request("0", {}, signed_by(log_, text))), 404u);
  // Before anything else is looked at.
  EXPECT_EQ(status(request("9", {Digest()}, signed_by(log_, text))), 404u);
}

TEST_F(WitnessOfLogs, RefusesWhatTheLogDidNotSign) {
  const std::string text = text_of("log.example/1", first_entries(7));
  EXPECT_EQ(status(request("0", {}, signed_by(second_, text))), 403u);
  const tlog::LogSigner namesake("log.example/1", seed(3));
  EXPECT_EQ(status(request("0", {}, signed_by(namesake, text))), 403u);
  tlog::NoteSignature flipped = log_.sign(text);
  flipped.signature[10] ^= 1U;
  EXPECT_EQ(status(request("0", {}, text + "\n" + line(flipped))), 403u);
  // Another checkpoint's signature, word for word.
  const auto old = log_.sign(text_of("log.example/1", first_entries(6)));
  EXPECT_EQ(status(request("0", {}, text + "\n" + line(old))), 403u);
  // The log's own key as a witness's: another type, another meaning.
  const tlog::Cosigner cosigner("log.example/1", seed(1));
  EXPECT_EQ(status(request("0", {}, text + "\n" + line(cosigner.cosign(text, 1)))), 403u);
  expect_size("0\n");
}

TEST_F(WitnessOfLogs, IgnoresSignaturesOfKeysItDoesNotKnow) {
  const std::string text = text_of("log.example/1", first_entries(7));
  const tlog::LogSigner namesake("log.example/1", seed(3));
  EXPECT_EQ(status(request("0", {},
                           text + "\n" + line(namesake.sign(text)) + line(log_.sign(text)) +
                               line(second_.sign(text)))),
            200u);
}

TEST_F(WitnessOfLogs, RefusesAnOldSizeAboveTheNew) {
  EXPECT_EQ(status(request("8", {}, note(first_entries(7)))), 400u);
  EXPECT_EQ(status(request("18446744073709551615", {}, note(first_entries(7)))), 400u);
}

TEST_F(WitnessOfLogs, RefusesWhatIsNoRequest) {
  const std::string good = grown(0, 7);
  const std::string rest = good.substr(good.find('\n') + 1);
  for (const std::string& bad :
       {std::string(), std::string("\n"), rest, "old 00\n" + rest, "old +0\n" + rest,
        "old 0 \n" + rest, "old  0\n" + rest, "OLD 0\n" + rest, "old 0\r\n" + rest,
        "old 18446744073709551616\n" + rest, "old 0\nAAAA\n" + rest, "old 0\n" + rest.substr(1),
        "old 0\n" + std::string(43, 'A') + "\n" + rest, good.substr(0, good.size() - 1),
        "old 0\n\n" + text_of("log.example/1", first_entries(7)),
        std::string(2 * tlog::kMaxAddCheckpoint, 'x')})
    EXPECT_EQ(status(bad), 400u) << bad.substr(0, 60);
  const std::string huge =
      "log.example/1\n9223372036854775808\n" + tlog::base64_encode(Digest().view()) + "\n";
  EXPECT_EQ(status(request("0", {}, signed_by(log_, huge))), 400u);
  expect_size("0\n");
}

TEST_F(WitnessOfLogs, KeepsLogsApart) {
  ASSERT_EQ(status(grown(0, 20)), 200u);
  const Entries entries = other_entries(0, 5);
  const std::string other = signed_by(second_, text_of("log.example/2", entries));
  EXPECT_EQ(status(request("0", {}, other)), 200u);
  expect_size("20\n");
}

TEST_F(WitnessOfLogs, RemembersBeforeItAnswers) {
  ASSERT_EQ(status(grown(0, 20)), 200u);
  const auto after = as_after_a_kill();
  // Its answer was lost: it says where it is, and signs that tree again; never another.
  expect_conflict(after->add_checkpoint(as_bytes(grown(0, 20))), "20\n");
  EXPECT_EQ(after->add_checkpoint(as_bytes(grown(20, 20))).status, 200u);
  EXPECT_EQ(after->add_checkpoint(as_bytes(request("20", {}, note(other_entries(19, 20))))).status,
            409u);
  EXPECT_EQ(after->key(), witness_->key());
  EXPECT_EQ(after->auditor_key().bytes, witness_->auditor_key().bytes);
}

// The race of tlog-witness, and two histories at once: of each pair one is cosigned.
TEST_F(WitnessOfLogs, AnswersTwoRequestsAtOnceAsOneAfterTheOther) {
  for (std::size_t size = 2; size < 34; size += 2) {
    const std::string from = std::to_string(size == 2 ? 0 : size - 2);
    const std::size_t old = size == 2 ? 0 : size - 2;
    const Entries fork = other_entries(size - 1, size + 1);
    const std::array bodies = {grown(old, size), request(from, proof(old, fork), note(fork))};
    std::array<unsigned, 2> said{};
    {
      std::vector<std::jthread> both;
      for (std::size_t i = 0; i < bodies.size(); ++i)
        both.emplace_back([&, i] { said[i] = status(bodies[i]); });
    }
    EXPECT_EQ(said[0] + said[1], 200u + 409u);
    if (said[1] != 200) continue;
    // The fork won: from there on the other history is refused; begin anew.
    EXPECT_EQ(status(request(std::to_string(size + 1), proof(size + 1, first_entries(40)),
                             note(first_entries(40)))),
              422u);
    witness_.reset();
    fs::remove_all(folder_ + "/data");
    start();
    ASSERT_EQ(status(grown(0, size)), 200u);
  }
}

TEST_F(WitnessOfLogs, DoesNotStartWithoutItsMemory) {
  ASSERT_EQ(status(grown(0, 20)), 200u);
  witness_.reset();
  for (const char* file : {"/data/witness.db", "/data/witness.db-wal", "/data/witness.db-shm"})
    fs::remove(folder_ + file);
  const auto opened = Witness::open(options(folder_ + "/data"), clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsafe);
  EXPECT_NE(opened.error().message.find("new key"), std::string::npos) << opened.error().message;
}

TEST_F(WitnessOfLogs, DoesNotStartWithAnotherKeyThanItsMemorySpeaksOf) {
  for (const char* file : {"/data/witness.key", "/data/auditor.key"}) {
    witness_.reset();
    fs::rename(folder_ + file, folder_ + "/kept");
    EXPECT_EQ(Witness::open(options(folder_ + "/data"), clock_).error().code, Code::kUnsafe);
    fs::rename(folder_ + "/kept", folder_ + file);
    start();
  }
}

TEST_F(WitnessOfLogs, RefusesOptionsThatMakeNoSense) {
  const auto code = [&](Options wanted) {
    wanted.data = folder_ + "/other";
    return Witness::open(std::move(wanted), clock_).error().code;
  };
  EXPECT_EQ(code({"", "a b", {log_.key()}}), Code::kInvalid);
  EXPECT_EQ(code({"", "", {log_.key()}}), Code::kInvalid);
  EXPECT_EQ(code({"", "w1", {log_.key(), log_.key()}}), Code::kInvalid);
  EXPECT_EQ(code({"", "w1", {tlog::Cosigner("w2", seed(5)).key()}}), Code::kInvalid);
}

TEST_F(WitnessOfLogs, OneProgramHasOneMemory) {
  EXPECT_EQ(Witness::open(options(folder_ + "/data"), clock_).error().code, Code::kUnavailable);
}

TEST_F(WitnessOfLogs, ADamagedMemoryIsNotTheRequestsFault) {
  ASSERT_EQ(status(grown(0, 20)), 200u);
  {
    auto database = std::move(sql::Database::open(folder_ + "/data/witness.db")).value();
    ASSERT_TRUE(database.execute("UPDATE log SET root = 'short'").ok());
  }
  EXPECT_EQ(status(grown(20, 30)), 503u);
  {
    auto database = std::move(sql::Database::open(folder_ + "/data/witness.db")).value();
    ASSERT_TRUE(database.execute("UPDATE log SET root = x'00'").ok());
  }
  EXPECT_EQ(status(grown(20, 30)), 503u);
}

TEST_F(WitnessOfLogs, AClockBeforeAllTimeSignsNothing) {
  clock_->advance(-1'700'000'001'000);
  EXPECT_EQ(status(grown(0, 20)), 503u);
}

// ---- the auditor ----

// A log whose entries are epochs of a map.
class AuditorOfMaps : public WitnessOfLogs {
 protected:
  struct Epoch {
    Bytes leaf;
    Bytes delta;
  };
  using Delta = std::vector<tlog::MapEntry>;

  static tlog::MapEntry entry(std::uint8_t number, std::uint8_t value) {
    return {*tlog::MapLabel::from(crypto::sha256(Bytes{number}).view()),
            crypto::sha256(Bytes{value})};
  }
  // The next of this log; `alter`: how it lies.
  Epoch epoch(const Delta& entries, const std::function<void(tlog::MapEpoch&)>& alter = {}) {
    tlog::MapDelta delta;
    delta.n = ++n_;
    for (const tlog::MapEntry& one : entries) delta.entries.push_back(one);
    tlog::MapEpoch next;
    next.n = n_;
    if (!log_entries_.empty()) next.previous = tlog::leaf_hash(log_entries_.back());
    const auto root = map_.root_after(entries);
    if (root.ok()) next.root = *root;
    next.entries = map_.size() + entries.size();
    Epoch out;
    out.delta = wire::encode(delta);
    next.delta = crypto::sha256(out.delta);
    if (alter) alter(next);
    out.leaf = wire::encode(next);
    if (root.ok()) HF_CHECK(map_.apply(entries).ok());
    return out;
  }
  // Puts it into the log and has that witnessed.
  Bytes body(const Epoch& one) {
    log_entries_.push_back(one.leaf);
    const std::size_t size = log_entries_.size();
    HF_CHECK(status(request(std::to_string(size - 1), proof(size - 1, log_entries_),
                            note(log_entries_))) == 200);
    return body_at(one, size - 1);
  }
  Bytes body_at(const Epoch& one, std::size_t index) const {
    tlog::AuditBody out;
    out.checkpoint = to_bytes(as_bytes(note(log_entries_)));
    out.index = index;
    out.leaf = one.leaf;
    const tlog::testkit::TestLog tiles = of(log_entries_);
    const tlog::Proof inclusion = *tiles.tree(log_entries_.size()).prove_inclusion(index);
    for (const Digest& hash : inclusion) out.inclusion.push_back(hash);
    out.delta = one.delta;
    return wire::encode(out);
  }
  static tlog::testkit::TestLog of(const Entries& entries) {
    tlog::testkit::TestLog log;
    for (const Bytes& one : entries) log.add(one);
    return log;
  }
  tlog::Audit audited(const Answer& answer) {
    tlog::LogRoots roots;
    roots.log = tlog::testkit::holder(log_.key());
    roots.auditors.push_back({"a", witness_->auditor_key().bytes});
    const auto audit = tlog::verify_audit(*tlog::TrustedLog::open(roots), answer.body);
    HF_CHECK(audit.ok());
    return *audit;
  }
  void expect_refused(const Epoch& lie) {
    EXPECT_EQ(witness_->audit(body(lie)).status, 422u);
    start();  // nor after a restart
    EXPECT_EQ(witness_->audit(body_at(lie, log_entries_.size() - 1)).status, 422u);
  }

  std::uint64_t n_ = 0;
  tlog::Map map_;
  Entries log_entries_;
};

TEST_F(AuditorOfMaps, SignsEachEpochThatOnlyInserts) {
  for (std::uint8_t n = 1; n < 5; ++n) {
    const Epoch next = epoch({entry(n, n)});
    const Answer answer = witness_->audit(body(next));
    ASSERT_EQ(answer.status, 200u) << as_text(answer.body);
    EXPECT_EQ(audited(answer).n, n);
    EXPECT_EQ(audited(answer).leaf, tlog::leaf_hash(next.leaf));
    if (n == 2) start();
  }
}

TEST_F(AuditorOfMaps, SignsTheNewestEpochAgainAndNoOther) {
  const Epoch first = epoch({entry(1, 1)});
  ASSERT_EQ(witness_->audit(body(first)).status, 200u);
  EXPECT_EQ(witness_->audit(body_at(first, 0)).status, 200u);
  // In the log's words epoch 1 once more, with another map.
  n_ = 0;
  map_ = {};
  const Epoch other = epoch({entry(2, 2)}, [](tlog::MapEpoch& e) { e.previous.reset(); });
  EXPECT_EQ(witness_->audit(body(other)).status, 422u);
}

TEST_F(AuditorOfMaps, SaysHowFarItCame) {
  const Epoch first = epoch({entry(1, 1)});
  const Epoch second =
      epoch({entry(2, 2)}, [&](tlog::MapEpoch& e) { e.previous = tlog::leaf_hash(first.leaf); });
  body(first);
  const Answer answer = witness_->audit(body(second));
  EXPECT_EQ(answer.status, 409u);
  EXPECT_EQ(as_text(answer.body), "0\n");
}

TEST_F(AuditorOfMaps, RefusesARootThatTheDeltaDoesNotMake) {
  ASSERT_EQ(witness_->audit(body(epoch({entry(1, 1)}))).status, 200u);
  expect_refused(epoch({entry(2, 2)}, [](tlog::MapEpoch& e) { e.root.bytes[0] ^= 1U; }));
}

TEST_F(AuditorOfMaps, RefusesAnEpochThatOverwrites) {
  ASSERT_EQ(witness_->audit(body(epoch({entry(1, 1)}))).status, 200u);
  // With the root that the overwritten map would have.
  tlog::Map overwritten;
  const Digest root = *overwritten.apply(Delta{entry(1, 7)});
  expect_refused(epoch({entry(1, 7)}, [&](tlog::MapEpoch& e) {
    e.root = root;
    e.entries = 1;
  }));
}

TEST_F(AuditorOfMaps, RefusesAnEpochThatDrops) {
  ASSERT_EQ(witness_->audit(body(epoch({entry(1, 1)}))).status, 200u);
  tlog::Map without;
  const Digest root = *without.apply(Delta{entry(2, 2)});
  expect_refused(epoch({entry(2, 2)}, [&](tlog::MapEpoch& e) {
    e.root = root;
    e.entries = 1;
  }));
}

TEST_F(AuditorOfMaps, RefusesAnotherDelta) {
  Epoch lie = epoch({entry(1, 1)});
  tlog::MapDelta other;
  other.n = 1;
  other.entries.push_back(entry(2, 2));
  lie.delta = wire::encode(other);
  expect_refused(lie);
}

TEST_F(AuditorOfMaps, RefusesWhatIsNotInALogThatItWitnessed) {
  const Epoch first = epoch({entry(1, 1)});
  log_entries_.push_back(first.leaf);
  // Not cosigned by it; no proof; no log that it knows.
  EXPECT_EQ(witness_->audit(body_at(first, 0)).status, 400u);
  log_entries_.clear();
  auto good = *wire::decode<tlog::AuditBody>(body(first));
  good.index = 1;
  EXPECT_EQ(witness_->audit(wire::encode(good)).status, 422u);
  good.index = 0;
  good.checkpoint = to_bytes(as_bytes(signed_by(log_, text_of("log.example/3", log_entries_))));
  EXPECT_EQ(witness_->audit(wire::encode(good)).status, 404u);
  EXPECT_EQ(witness_->audit(as_bytes("what is that")).status, 400u);
}

TEST_F(AuditorOfMaps, RemembersBeforeItAnswers) {
  const Epoch first = epoch({entry(1, 1)});
  ASSERT_EQ(witness_->audit(body(first)).status, 200u);
  const auto after = as_after_a_kill();
  EXPECT_EQ(after->audit(body_at(first, 0)).status, 200u);
}

}  // namespace
}  // namespace holdfast::witness
