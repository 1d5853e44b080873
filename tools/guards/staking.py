"""Delegation, rewards, unbonding, holds and slashes."""

from mutation.removal import Edit, Guard

REGRESSIONS = "StakingRegressionsTest.test_regression_"
ENTER_UNREWARDED = Edit(
    "Staking.sol:_enterPool", "(p, before) = _open(operator);", "p = _pools[operator]; before = p.weight(minStake(p.role));"
)
REWARD_OF_ALL_LOSSES = Edit("Staking.sol:slash", "(ownLoss + ownBucketLoss) / 2", "slashed / 2")

GUARDS = [
    # ------------------------------------------------------------------------------------------------------------- delegation
    Guard(
        REGRESSIONS + "shareInflationAfterNearTotalSlash",
        "a ruined pool takes no more deposits",
        Edit("libraries/Pools.sol:slashDown", "if (isRuined(p)) p.tombstoned = true;", ""),
    ),
    Guard(
        REGRESSIONS + "shareInflationOfADustPool",
        "a million virtual shares make inflating a price cost a million times what it takes",
        Edit("libraries/SharesMath.sol:VIRTUAL_SHARES", "1e6", "1"),
    ),
    Guard(
        REGRESSIONS + "rewardSnipingBeforeALump",
        "what has flowed is added to a pool before a deposit",
        ENTER_UNREWARDED,
    ),
    Guard(
        REGRESSIONS + "lateVoterSnipingALump",
        "what has flowed is added to a pool before a deposit, with a commission too",
        ENTER_UNREWARDED,
    ),
    Guard(
        REGRESSIONS + "aLumpAtTheEndOfAPeriod",
        "what is funded in the last tenth of a period begins a new one",
        Edit("libraries/Streams.sol:fundDown", "left * 10 >= period", "left != 0"),
    ),
    Guard(
        REGRESSIONS + "operatorsDelegatingToThemselvesToEscapeFirstLoss",
        "a loss lowers the price of all shares; if the operator's own were burned first, its second account would keep all",
        Edit(
            "libraries/Pools.sol:slashDown",
            "p.assets -= loss.toUint96();",
            "uint256 burned = Math.min(p.ownShares, loss.toSharesUp(p.assets, p.shares)); p.ownShares -= burned.toUint120();"
            " p.shares -= burned.toUint120(); p.assets -= loss.toUint96();",
        ),
    ),
    Guard(
        REGRESSIONS + "operatorsDelegatingToThemselvesToEscapeFirstLoss",
        "what is being withdrawn loses with the pool",
        Edit("Staking.sol:_slashBuckets", "current < maturityOf(e) ? fraction : _withinHeldLimit(operator, e, fraction)", "0"),
    ),
    Guard(
        REGRESSIONS + "fullySlashedOperatorBricksNothing",
        "a loss is rounded down, so the last wei is never slashed away",
        Edit("libraries/Pools.sol:slashDown", "uint256(p.assets).mulDown(fraction)", "uint256(p.assets).mulUp(fraction)"),
    ),
    Guard(
        REGRESSIONS + "oneWeiGriefing",
        "a deposit for another is added to what that one has",
        Edit("Staking.sol:_enterPool", "_shares[operator][owner] += shares;", "_shares[operator][owner] = shares;"),
    ),
    Guard(
        REGRESSIONS + "stakeRecomputedFromReplayedFractions",
        "what shares are worth is rounded down, so all of them together are never worth more than there is",
        Edit("libraries/Pools.sol:leaveDown", "shares.toAssetsDown(p.assets, p.shares)", "shares.toAssetsUp(p.assets, p.shares)"),
    ),
    # ---------------------------------------------------------------------------------------------------------------- rewards
    Guard(
        REGRESSIONS + "instantCommissionHike",
        "a rise of the commission is announced",
        Edit("Staking.sol:setCommission", "units > p.commission", "false"),
    ),
    Guard(
        REGRESSIONS + "instantCommissionHike",
        "a rise of the commission waits an epoch",
        Edit("Staking.sol:applyCommission", "from == 0 || block.timestamp < from", "from == 0"),
    ),
    Guard(
        REGRESSIONS + "anAccumulatorThatOverflowsLocksNobodyIn",
        "the stream's number stays at its limit instead of reverting",
        Edit(
            "libraries/Streams.sol:advance", "uint72(Math.min(s.perWeight + added, type(uint72).max))", "(s.perWeight + added).toUint72()"
        ),
    ),
    Guard(
        REGRESSIONS + "rewardsOfTheTimeInJail",
        "the jailed have no weight",
        Edit("libraries/Pools.sol:weight", "!p.active || p.jailed || p.tombstoned", "!p.active || p.tombstoned"),
    ),
    Guard(
        REGRESSIONS + "rewardsOfTheTimeInJail",
        "who gets weight earns from then on",
        Edit("StakingState.sol:_close", "p.perWeightPaid = s.perWeight;", ""),
    ),
    # -------------------------------------------------------------------------------------------------------------- unbonding
    Guard(
        REGRESSIONS + "instantExitByOverflow",
        "nothing is withdrawn of an epoch in which nothing was undelegated, and no maturity wraps around",
        Edit("Staking.sol:withdraw", "if (owned == 0) revert NothingToWithdraw(operator, epoch, owner);", ""),
        Edit("StakingAdmin.sol:maturityOf", "return epoch + MATURING_EPOCHS + 1;", "unchecked { return epoch + MATURING_EPOCHS + 1; }"),
    ),
    Guard(
        REGRESSIONS + "instantExitByOverflow",
        "a term of jail that does not fit into its 40 bits is refused",
        Edit("Staking.sol:_jail", "until.toUint40()", "uint40(until)"),
    ),
    Guard(
        REGRESSIONS + "unbondingBucketReusedAfterATotalSlash",
        "who enters a bucket that was slashed gets shares at its price",
        Edit("libraries/Buckets.sol:enterDown", "assets.toSharesDown(b.assets, b.shares)", "assets * SharesMath.VIRTUAL_SHARES"),
    ),
    # --------------------------------------------------------------------------------------------------------- holds, slashers
    Guard(
        REGRESSIONS + "leavingBetweenCaptureAndExecution",
        "a withdrawal leaves what open disputes hold back",
        Edit("Staking.sol:withdraw", "heldFraction(operator, epoch)", "0"),
    ),
    Guard(
        REGRESSIONS + "overlappingDisputesUnfreezeNothing",
        "the end of a dispute takes its own fraction off what is held",
        Edit("Staking.sol:_release", "_held[operator][epoch] - fraction", "0"),
    ),
    Guard(
        REGRESSIONS + "oneHoldSlashedManyTimes",
        "a slash uses up its hold",
        Edit("Staking.sol:_useHold", "_release(operator, fraction, epoch);", ""),
    ),
    Guard(
        REGRESSIONS + "anAbsentArbiterFreezesNothingForEver",
        "holds expire",
        Edit("StakingAdmin.sol:HOLD_EPOCHS", "4", "1000"),
    ),
    Guard(
        REGRESSIONS + "rollingChallengesDoNotFreezeVoters",
        "at most three quarters are held back, however many challenges there are",
        Edit("StakingState.sol:heldFraction", "Math.min(held, MAX_SLASH_EPOCH)", "Math.min(held, 1e18)"),
    ),
    Guard(
        REGRESSIONS + "rollingChallengesDoNotFreezeVoters",
        "a hold that began after a bucket matured holds nothing of it",
        Edit("StakingState.sol:heldFraction", "e < maturityOf(epoch)", "e <= current"),
    ),
    Guard(
        REGRESSIONS + "aSlasherCalledOffBeforeItWasActive",
        "a retired slasher is none, though its time comes",
        Edit(
            "StakingAdmin.sol:isSlasher",
            "s.activeFrom != 0 && block.timestamp >= s.activeFrom && !s.retired",
            "s.activeFrom != 0 && block.timestamp >= s.activeFrom",
        ),
    ),
    # --------------------------------------------------------------------------------------------------------- slashing oneself
    Guard(
        REGRESSIONS + "slashingOneselfForTheReward",
        "a reward is at most half of the loss",
        Edit("Staking.sol:slash", "(ownLoss + ownBucketLoss) / 2", "ownLoss + ownBucketLoss"),
    ),
    Guard(
        REGRESSIONS + "slashingOneselfForTheReward",
        "a reward is measured by the operator's own loss, not by its voters'",
        REWARD_OF_ALL_LOSSES,
    ),
    Guard(
        "SelfSlashTest.testFuzz_puppetChallenger",
        "a reward is measured by the operator's own loss: a puppet that challenges gains nothing by votes",
        REWARD_OF_ALL_LOSSES,
    ),
    Guard(
        "SelfSlashTest.testFuzz_puppetJury",
        "a reward is measured by the operator's own loss: nor does a whole jury of puppets",
        REWARD_OF_ALL_LOSSES,
    ),
]
