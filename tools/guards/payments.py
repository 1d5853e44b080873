"""Messages, vouchers, thaws, the backing and the mining stream."""

from mutation.removal import Edit, Guard

FIELDS = (
    ("an offer's price", "m.price", "abi.encode(OFFER_TYPEHASH, m.coordinator, m.miner, m.modelId, m.requestHash, m.price, m.expiry)"),
    ("a result's states", "m.states", "abi.encode(RESULT_TYPEHASH, m.offerHash, m.traceRoot, m.states, m.outputHash)"),
    ("a voucher's payee", "m.payee", "abi.encode(VOUCHER_TYPEHASH, m.payer, m.payee, m.cumulative)"),
    ("a consent's operator", "m.operator", "abi.encode(NODE_CONSENT_TYPEHASH, m.operator, m.node)"),
    (
        "a login's nonce",
        "m.nonce",
        "abi.encode(LOGIN_TYPEHASH, m.miner, m.coordinator, m.coordinatorNode, keccak256(bytes(m.origin)), m.nonce)",
    ),
    ("a session's expiry", "m.expiry", "abi.encode(SESSION_TYPEHASH, m.loginHash, m.tokenHash, m.expiry)"),
)
NO_GRACE = Edit("Registry.sol:isLiable", "n.retiredAt == 0 || time <= n.retiredAt + nodeGrace", "n.retiredAt == 0")
ALL_AGAIN = Edit("Payments.sol:_collect", "Math.min(cumulative - collected, balance)", "Math.min(cumulative, balance)")
EARNED = "emissionOf(epoch).mulDown(share) * minerFees / fees"

GUARDS = [
    # ------------------------------------------------------------------------------------------------------------------ messages
    *(
        Guard(
            "MessagesTest.test_vectors",
            f"{field} is in what is signed",
            Edit("libraries/MessageHashes.sol:hash", encoded, encoded.replace(f", {member}", "")),
        )
        for field, member, encoded in FIELDS
    ),
    Guard(
        "MessagesTest.test_vectors",
        "a voucher's payee is in its type",
        Edit(
            "libraries/MessageHashes.sol:VOUCHER_TYPEHASH",
            'keccak256("Voucher(address payer,address payee,uint256 cumulative)")',
            'keccak256("Voucher(address payer,uint256 cumulative)")',
        ),
    ),
    Guard(
        "CollectTest.testFuzz_everyFieldOfAVoucherIsSigned",
        "a voucher for one miner pays no other",
        Edit(
            "libraries/MessageHashes.sol:hash",
            "abi.encode(VOUCHER_TYPEHASH, m.payer, m.payee, m.cumulative)",
            "abi.encode(VOUCHER_TYPEHASH, m.payer, m.cumulative)",
        ),
    ),
    Guard(
        "CollectTest.test_aVoucherIsForOneChain",
        "what is signed is of one chain and one Registry",
        Edit(
            "libraries/MessageHashes.sol:digest",
            'abi.encodePacked(hex"1901", domainSeparator, structHash)',
            'abi.encodePacked(hex"1901", structHash)',
        ),
    ),
    # ------------------------------------------------------------------------------------------------------------------ vouchers
    Guard(
        "CollectTest.test_paysTheDifferenceLessTheFee",
        "a newer voucher pays what it adds to the one before",
        ALL_AGAIN,
    ),
    Guard(
        "CollectTest.test_revertsWhenAllWasCollected",
        "an older voucher is refused, and a difference to what was collected cannot be negative",
        Edit("Payments.sol:collect", "if (cumulative <= collected) revert NothingToCollect(payer, payee, cumulative, collected);", ""),
        ALL_AGAIN,
    ),
    Guard(
        "CollectManyTest.test_skipsThoseWithNothingToCollect",
        "an older voucher is passed over, so that it does not hold up the others",
        Edit("Payments.sol:collectMany", "v.cumulative <= c.collected || c.balance == 0", "c.balance == 0"),
    ),
    # --------------------------------------------------------------------------------------------------- thaws, pauses, replaced nodes
    Guard(
        "ThawTest.test_othersCannotTouchTheTimer",
        "nobody but the payer begins a thaw, or begins it anew",
        Edit("Payments.sol:thaw", "_requirePayer(payer);", ""),
    ),
    Guard(
        "ThawTest.test_othersCannotTouchTheTimer",
        "nobody but the payer cancels a thaw",
        Edit("Payments.sol:cancelThaw", "_requirePayer(payer);", ""),
    ),
    Guard(
        "ThawTest.test_aFurtherCallReplacesTheAmountAndBeginsAnew",
        "a thaw that replaces another has not begun with it",
        Edit("Payments.sol:thaw", "block.timestamp + thawPeriod", "c.thawsAt == 0 ? block.timestamp + thawPeriod : c.thawsAt"),
    ),
    Guard(
        "ThawTest.test_fundsThatComeLaterHaveNotThawed",
        "a thaw whose funds were collected is not paid out of later ones",
        Edit("Payments.sol:_collect", "c.thawing = balance.toUint96();", ""),
    ),
    Guard(
        "ThawTest.test_replacingTheNodeDoesNotOutrunThePayee",
        "a replaced node's vouchers can be collected for its grace",
        NO_GRACE,
    ),
    Guard(
        "EnforceTest.test_aReplacedNodesVouchersCanBeNoticedForItsGrace",
        "a replaced node's vouchers can be noticed for its grace",
        NO_GRACE,
    ),
    Guard(
        "PaymentsParametersTest.test_constructorsBounds",
        "nothing thaws before a replaced node's grace is over",
        Edit("Payments.sol:constructor", "thawPeriod_ == 0 || thawPeriod_ > registry_.nodeGrace()", "thawPeriod_ == 0"),
    ),
    Guard(
        "EnforceTest.test_pausingEntryDeniesNobody",
        "a pause of entry does not stop what a backing pays, as this would",
        Edit("Staking.sol:payFromOwn", "if (msg.sender != payments) revert Unauthorised(msg.sender);", "_requireOpen();"),
    ),
    Guard(
        "PauseEntryTest.test_everythingElseGoesOn",
        "a pause of entry does not stop withdrawals, as this would",
        Edit("Staking.sol:withdraw", "if (owned == 0) revert NothingToWithdraw(operator, epoch, owner);", "_requireOpen();"),
    ),
    # ------------------------------------------------------------------------------------------------------------------- backing
    Guard(
        "EnforceTest.test_aHugeVoucherToAPuppetIsNoEarlyExit",
        "what a backing pays matures in a bucket, as if the coordinator had left",
        Edit("Staking.sol:payFromOwn", "_enterBucket(operator, epoch, payee, paid);", "SafeERC20.safeTransfer(cai, payee, paid);"),
    ),
    Guard(
        "EnforceTest.test_aHugeVoucherToAPuppetIsNoEarlyExit",
        "a backing pays a miner no more than its part, whatever the voucher says",
        Edit("libraries/Backings.sol:leftDown", "Math.min(b.amount, Math.saturatingSub(part, got))", "b.amount"),
    ),
    Guard(
        "EnforceTest.test_aPuppetCannotDrainTheBacking",
        "a backing pays a miner its part once, however often it comes",
        Edit("libraries/Backings.sol:leftDown", "Math.saturatingSub(part, got)", "part"),
    ),
    Guard(
        "EnforceTest.test_aPuppetCannotDrainTheBackingAtOnce",
        "a backing pays a miner its part once, into however many vouchers it is cut",
        Edit("Payments.sol:_cover", "b.leftDown(share, c.covered)", "b.leftDown(share, 0)"),
    ),
    Guard(
        "EnforceTest.test_paysAtMostWhatIsLeftOfTheStake",
        "a backing pays no more than own stake, and no more shares are burned than are own",
        Edit("libraries/Pools.sol:leaveOwnUp", "Math.min(wanted, ownValueDown(p))", "Math.min(wanted, p.assets)"),
        Edit(
            "libraries/Pools.sol:leaveOwnUp",
            "p.ownShares -= shares.toUint120();",
            "p.ownShares = Math.saturatingSub(p.ownShares, shares).toUint120();",
        ),
    ),
    Guard(
        "PayFromOwnTest.testFuzz_votersLoseNothing",
        "what a backing pays burns own shares at their price after slashes",
        Edit("libraries/Pools.sol:leaveOwnUp", "assets.toSharesUp(p.assets, p.shares)", "assets * SharesMath.VIRTUAL_SHARES"),
    ),
    Guard(
        "PoolsTest.testFuzz_leaveOwnUp",
        "what a backing pays burns own shares rounded up",
        Edit("libraries/Pools.sol:leaveOwnUp", "assets.toSharesUp(p.assets, p.shares)", "assets.toSharesDown(p.assets, p.shares)"),
    ),
    Guard(
        "EnforceTest.test_loweringCannotOutrunANotice",
        "a lowered backing counts until stake that is undelegated with it matures",
        Edit("Payments.sol:setBacking", "staking.maturityOf(epoch)", "epoch + 2"),
    ),
    Guard(
        "SetBackingTest.test_thawTimer",
        "a lowering that goes further than the one before has not begun with it",
        Edit("libraries/Backings.sol:set", "b.lowersIn == 0 || amount < b.lowered", "b.lowersIn == 0"),
    ),
    Guard(
        "SetBackingTest.test_thawTimer",
        "a lowering of which less is taken does not begin anew",
        Edit("libraries/Backings.sol:set", "b.lowersIn == 0 || amount < b.lowered", "true"),
    ),
    Guard(
        "UndelegateTest.test_whatBacksVouchersStays",
        "own stake does not leave while it backs vouchers",
        Edit("Staking.sol:_leaveOwn", "if (left < backing) revert StakeBacksVouchers(operator, backing, left);", ""),
    ),
    Guard(
        "NotifyTest.test_stakeBorrowedForTheNoticeCountsForNothing",
        "a miner's part of a backing goes by weights of the epoch before the notice's",
        Edit("Payments.sol:notify", "_currentEpoch() - 1", "_currentEpoch()"),
    ),
    # ------------------------------------------------------------------------------------------------------------------- washing
    Guard(
        "MiningRewardsTest.testFuzz_washTradingEarnsNoMoreThanTheShare",
        "a coordinator's miners earn of its share of an epoch, whatever the volume",
        Edit("MiningRewards.sol:claimable", EARNED, "emissionOf(epoch) * minerFees / fees"),
    ),
    Guard(
        "MiningRewardsTest.testFuzz_washTradingWithManyMinersEarnsNoMore",
        "a coordinator's miners earn of its share by fees, so all of them no more than one",
        Edit("MiningRewards.sol:claimable", EARNED, "emissionOf(epoch).mulDown(share)"),
    ),
    Guard(
        "MiningRewardsTest.testFuzz_washTradingEarnsNoMoreThanTheShare",
        "each round of washing burns the fee",
        Edit("Payments.sol:_collect", "amount.mulUp(burnFee_)", "0"),
    ),
    Guard(
        "MiningRewardsTest.test_paysOnce",
        "an epoch is claimed once",
        Edit("MiningRewards.sol:_claim", "done.set(epoch);", ""),
    ),
    Guard(
        "WorkTest.test_aMinerThatPaysHasNoShare",
        "a miner that pays has no share: its weight is none of the coordinators'",
        Edit("Payments.sol:_weightAt", "registry.roleOf(operator) == role", "true"),
    ),
]
