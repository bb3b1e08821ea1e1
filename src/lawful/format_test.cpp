#include "lawful/format.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace holdfast::lawful {
namespace {

// docs/formats/lawful.md#worked-example; its bytes are another encoder's.
TEST(HeadOpening, IsTheWorkedExample) {
  HeadOpening opening;
  opening.nonce.fill(7);
  opening.day = 20'788;
  opening.n = 12;
  opening.head.bytes.fill(9);
  const Bytes bytes = wire::encode(opening);
  EXPECT_EQ(to_hex(bytes),
            "85781f686f6c64666173742f76312f6c617766756c2d686561642d6f70656e696e67582007070707"
            "070707070707070707070707070707070707070707070707070707071951340c5820090909090909"
            "0909090909090909090909090909090909090909090909090909");
  EXPECT_EQ(crypto::sha256("holdfast/v1/lawful/commitment", bytes).hex(),
            "6e4c507cc69e63b958b35e3c9972284d800f55e252a7264f43f302d68677172f");
}

TEST(CheckedDocument, RefusesEveryTruncationAndTooMuch) {
  CheckedDocument document;
  document.kind = Kind::kProduction;
  document.findings.push_back({"issuer", "s.1", Outcome::kPass, "A court."});
  document.items.push_back({"account", DataClass::kSubscriber, true, true, true, "name"});
  const Bytes good = wire::encode(document);
  ASSERT_TRUE(wire::decode<CheckedDocument>(good).ok());
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(wire::decode<CheckedDocument>(BytesView(good).first(n)).ok()) << n;
  Bytes more = good;
  more.push_back(0);
  EXPECT_FALSE(wire::decode<CheckedDocument>(more).ok());
}

}  // namespace
}  // namespace holdfast::lawful
