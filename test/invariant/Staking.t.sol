// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Role} from "../../contracts/interfaces/Messages.sol";
import {ICAI} from "../utils/BaseTest.sol";
import {StakingHandler} from "./StakingHandler.sol";

/// @dev More is asserted by the handler in each call: that a price falls only where a slash may reach, that a slash takes its fraction of what
/// is liable and pays at most half of the own loss, that voters do not pay for their operator, that entry alone is paused.
contract StakingInvariants is Test {
    uint256 internal constant FIRST_EPOCH = 20_000;
    uint256 internal constant MEMORY = 8;
    StakingHandler internal handler;
    IStaking internal staking;
    ICAI internal cai;

    function setUp() public {
        handler = new StakingHandler();
        handler.setUp();
        (address a, address b) = handler.contracts();
        (staking, cai) = (IStaking(a), ICAI(b));
        bytes4[] memory verbs = new bytes4[](20);
        verbs[0] = handler.delegate.selector;
        verbs[1] = handler.undelegate.selector;
        verbs[2] = handler.cancel.selector;
        verbs[3] = handler.withdraw.selector;
        verbs[4] = handler.slash.selector;
        verbs[5] = handler.setRegistered.selector;
        verbs[6] = handler.pass.selector;
        verbs[7] = handler.fundRewards.selector;
        verbs[8] = handler.accrue.selector;
        verbs[9] = handler.setCommission.selector;
        verbs[10] = handler.applyCommission.selector;
        verbs[11] = handler.hold.selector;
        verbs[12] = handler.release.selector;
        verbs[13] = handler.jail.selector;
        verbs[14] = handler.unjail.selector;
        verbs[15] = handler.payFromOwn.selector;
        verbs[16] = handler.pause.selector;
        // Time and exits more often than the rest.
        verbs[17] = handler.pass.selector;
        verbs[18] = handler.undelegate.selector;
        verbs[19] = handler.withdraw.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: verbs}));
        targetContract(address(handler));
    }

    /// One campaign for all of them: each name of its own would only repeat the same calls.
    /// forge-config: default.invariant.runs = 24
    /// forge-config: deep.invariant.runs = 512
    function invariant_staking() public view {
        // Of older epochs only the end of a run tells: they are many.
        uint256 current = staking.currentEpoch();
        _all(current < FIRST_EPOCH + 5 ? FIRST_EPOCH : current - 5);
    }

    function _all(uint256 first) internal view {
        _solvent();
        _sharesAddUp(first);
        _everybodyHasWhatTheModelSays(first);
        _heldBack(first);
        _weights();
        _history(first);
        _stream();
        _slashesPayWithinBounds();
        _standing();
    }

    /// What the contract holds is what it owes, to the wei: pools, buckets and what was funded and not paid out; and all that came is there,
    /// went home or was slashed.
    function _solvent() internal view {
        uint256 due = handler.funded() - handler.rewarded();
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            (uint256 assets,) = staking.pool(operator);
            // The view counts what the stream owes, which is still in the reserve.
            due += assets - staking.pendingRewards(operator);
            uint256[] memory epochs = handler.bucketEpochs(operator);
            for (uint256 k; k < epochs.length; ++k) {
                (assets,) = staking.bucket(operator, epochs[k]);
                due += assets;
            }
        }
        uint256 held = cai.balanceOf(address(staking));
        assertEq(held, due, "1: held = pools + buckets + rewards not paid out");
        uint256 came = handler.totalDeposited() + handler.funded();
        assertEq(held, came - handler.totalWithdrawn() - handler.totalSlashed(), "2: held = came - left - slashed");
    }

    function _sharesAddUp(uint256 first) internal view {
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            uint256 shares;
            uint256 assets;
            for (uint256 j; j < 5; ++j) {
                shares += staking.sharesOf(operator, handler.owners(j));
                assets += staking.assetsOf(operator, handler.owners(j));
            }
            (uint256 poolAssets, uint256 poolShares) = staking.pool(operator);
            assertEq(shares, poolShares, "3: own and voters' shares are the pool's");
            assertLe(assets, poolAssets, "4: the last to leave a pool is paid");
            for (uint256 e = first; e <= staking.currentEpoch(); ++e) {
                (uint256 bucketAssets, uint256 bucketShares) = staking.bucket(operator, e);
                if (!handler.used(operator, e)) {
                    assertEq(bucketAssets + bucketShares, 0, "5: nothing is where nobody left");
                    continue;
                }
                assets = 0;
                for (uint256 j; j < 5; ++j) {
                    assets += staking.bucketAssetsOf(operator, e, handler.owners(j));
                }
                assertLe(assets, bucketAssets, "5: the last to leave a bucket is paid");
            }
        }
    }

    /// Everybody has what the model says, but for as many wei as there were roundings; so nobody profits from any order of calls.
    function _everybodyHasWhatTheModelSays(uint256 first) internal view {
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            uint256 slack = handler.roundings() + handler.streamSlack(operator) + 2;
            for (uint256 j; j < 5; ++j) {
                address owner = handler.owners(j);
                uint256 model = handler.modelStakeOf(operator, owner) / 1e18;
                assertApproxEqAbs(staking.assetsOf(operator, owner), model, slack, "6: stake, slashed and rewarded");
                for (uint256 e = first; e <= staking.currentEpoch(); ++e) {
                    if (!handler.used(operator, e)) continue;
                    model = handler.modelBucket(operator, owner, e) / 1e18;
                    uint256 left = staking.bucketAssetsOf(operator, e, owner) + handler.drawn(operator, owner, e);
                    assertApproxEqAbs(left, model, slack, "7: buckets, slashed and drawn from");
                }
            }
        }
    }

    /// Never more than 75%, nothing when no hold lives, and what is free is what is not held.
    function _heldBack(uint256 first) internal view {
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            for (uint256 e = first; e <= staking.currentEpoch(); ++e) {
                uint256 held = staking.heldFraction(operator, e);
                assertEq(held, handler.modelHeld(operator, e), "8: held by disputes that can still reach the bucket");
                assertLe(held, 0.75e18, "9: never more than an epoch's limit is held");
            }
        }
    }

    /// Weights are what the formula says of what is stored, and add up to their role's total.
    function _weights() internal view {
        uint256[3] memory totals;
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            uint256 weight = staking.weightOf(operator);
            if (staking.pendingRewards(operator) == 0) {
                assertEq(weight, _formula(i), "10: weight is what the formula says");
            } else {
                // What the stream owes is not weight yet.
                assertLe(weight, _formula(i), "10: weight is at most what the formula says");
                assertGt(weight, 0, "10: only weight earns");
            }
            bool counts = handler.registered(operator) && !handler.jailed(operator) && !staking.isTombstoned(operator);
            if (!counts) assertEq(weight, 0, "11: the jailed, retired and ruined have none");
            totals[uint8(handler.roles(i))] += weight;
        }
        assertEq(staking.totalWeight(Role.None), 0);
        assertEq(staking.totalWeight(Role.Miner), totals[1], "12: weights add up");
        assertEq(staking.totalWeight(Role.Coordinator), totals[2], "12: weights add up");
    }

    function _formula(uint256 i) internal view returns (uint256 weight) {
        address operator = handler.operators(i);
        uint256 own = staking.assetsOf(operator, operator);
        (weight,) = staking.pool(operator);
        if (weight > 10 * own) weight = 10 * own;
        bool counts = handler.registered(operator) && !handler.jailed(operator) && !staking.isTombstoned(operator);
        if (!counts || own <= staking.minStake(handler.roles(i))) weight = 0;
    }

    /// What is told of an epoch is what stood when it began, whatever happened in it or later; what is forgotten is refused.
    function _history(uint256 first) internal view {
        uint256 current = staking.currentEpoch();
        uint256[4] memory changes;
        for (uint256 e = current + 1; e > first;) {
            --e;
            for (uint256 i; i < 3; ++i) {
                address operator = handler.operators(i);
                if (handler.changedIn(operator, e)) ++changes[i];
                (bool known, uint256 weight) = _weightAt(operator, e);
                // The first change in or after an epoch puts away what stood when it began, and each later one another.
                assertEq(known, changes[i] <= MEMORY, "13: the last epochs are remembered, older ones refused");
                if (known) assertEq(weight, handler.weightWhenBegan(operator, e), "14: weight when an epoch began");
            }
            if (handler.totalsChangedIn(e)) ++changes[3];
            if (changes[3] > MEMORY) continue;
            assertEq(staking.totalWeightAt(Role.Miner, e), handler.totalWhenBegan(Role.Miner, e), "15: miners");
            assertEq(
                staking.totalWeightAt(Role.Coordinator, e),
                handler.totalWhenBegan(Role.Coordinator, e),
                "15: coordinators"
            );
        }
    }

    function _weightAt(address operator, uint256 epoch) internal view returns (bool known, uint256 weight) {
        try staking.weightAt(operator, epoch) returns (uint256 weight_) {
            return (true, weight_);
        } catch (bytes memory reason) {
            assertEq(reason, abi.encodeWithSelector(IStaking.ForgottenEpoch.selector, epoch));
        }
    }

    /// The stream runs as the model does, and pays no more than was funded, nor than flowed while somebody had weight.
    function _stream() internal view {
        (uint256 rate, uint256 endsAt) = staking.rewardStream();
        assertEq(rate, handler.rate(), "16: the stream's rate");
        if (handler.funded() != 0) assertEq(endsAt, handler.endsAt(), "16: the stream's end");
        uint256 owed = handler.rewarded();
        for (uint256 i; i < 3; ++i) {
            owed += staking.pendingRewards(handler.operators(i));
        }
        assertLe(owed, handler.flowed(), "17: rewards <= rate x time");
        assertLe(handler.flowed(), handler.funded(), "18: rewards <= funded");
    }

    function _slashesPayWithinBounds() internal view {
        uint256 slack = 8 * handler.roundings() + handler.streamSlack(handler.operators(0))
            + handler.streamSlack(handler.operators(1)) + handler.streamSlack(handler.operators(2));
        assertLe(handler.totalPaid(), handler.halfOfOwnLosses() / 1e18 + slack, "19: half of the own losses");
        assertLe(handler.totalPaid() * 2, handler.totalSlashed(), "19: half of what was slashed");
        assertEq(cai.totalSupply() + handler.totalSlashed() - handler.totalPaid(), cai.INITIAL_SUPPLY(), "20: burned");
    }

    function _standing() internal view {
        assertEq(staking.pausedUntil(), handler.pausedUntil());
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            (bool jailed, uint256 until) = staking.jailStatus(operator);
            assertEq(jailed, handler.jailed(operator), "21: jailed until it calls");
            assertEq(until, handler.jailedUntil(operator), "21: the later end");
            (uint256 commission, uint256 announced, uint256 from) = staking.commissionOf(operator);
            assertEq(commission, handler.commission(operator), "22: commission");
            assertEq(announced, handler.announced(operator), "22: announced commission");
            assertEq(from, handler.announcedFrom(operator), "22: its time");
        }
    }

    /// Every exit succeeds in the end, and nobody takes out more than came in, was earned and was not slashed.
    function afterInvariant() public {
        _all(FIRST_EPOCH);
        handler.leaveAll(0.3e18);
        _solvent();
        _slashesPayWithinBounds();
        uint256 reserve = handler.funded() - handler.rewarded();
        assertLe(cai.balanceOf(address(staking)) - reserve, handler.roundings(), "23: dust alone stays");
        uint256 slack = handler.roundings() + handler.streamSlack(handler.operators(0))
            + handler.streamSlack(handler.operators(1)) + handler.streamSlack(handler.operators(2));
        for (uint256 j; j < 5; ++j) {
            address owner = handler.owners(j);
            uint256 most = handler.deposited(owner) + handler.gained(owner) / 1e18 + slack;
            assertLe(handler.withdrawn(owner), most, "24: nobody takes out more than it brought or earned");
        }
    }
}
