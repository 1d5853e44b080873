// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Role} from "../../contracts/interfaces/Messages.sol";
import {ICAI} from "../utils/BaseTest.sol";
import {StakingHandler} from "./StakingHandler.sol";

contract StakingInvariants is Test {
    uint256 internal constant FIRST_EPOCH = 20_000;
    StakingHandler internal handler;
    IStaking internal staking;
    ICAI internal cai;

    function setUp() public {
        handler = new StakingHandler();
        handler.setUp();
        (address a, address b) = handler.contracts();
        (staking, cai) = (IStaking(a), ICAI(b));
        bytes4[] memory verbs = new bytes4[](8);
        verbs[0] = handler.delegate.selector;
        verbs[1] = handler.undelegate.selector;
        verbs[2] = handler.cancel.selector;
        verbs[3] = handler.withdraw.selector;
        verbs[4] = handler.slash.selector;
        verbs[5] = handler.setRegistered.selector;
        verbs[6] = handler.pass.selector;
        verbs[7] = handler.undelegate.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: verbs}));
        targetContract(address(handler));
    }

    /// One campaign for all of them: each name of its own would only repeat the same calls.
    function invariant_staking() public view {
        // Of older epochs only the end of a run tells: they are many.
        uint256 current = staking.currentEpoch();
        _all(current < FIRST_EPOCH + 4 ? FIRST_EPOCH : current - 4);
    }

    function _all(uint256 first) internal view {
        _solvent();
        _sharesAddUp(first);
        _everybodyHasWhatTheModelSays(first);
        _weights();
        _history(first);
        _slashesPayWithinBounds();
    }

    /// What the contract holds is what it owes, to the wei: pools and buckets; and all that came is there, went home or was slashed.
    function _solvent() internal view {
        uint256 due;
        for (uint256 i; i < 3; ++i) {
            (uint256 assets,) = staking.pool(handler.operators(i));
            due += assets;
            for (uint256 e = FIRST_EPOCH; e <= staking.currentEpoch(); ++e) {
                (assets,) = staking.bucket(handler.operators(i), e);
                due += assets;
            }
        }
        uint256 held = cai.balanceOf(address(staking));
        assertEq(held, due);
        assertEq(held, handler.totalDeposited() - handler.totalWithdrawn() - handler.totalSlashed());
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
            assertEq(shares, poolShares);
            assertLe(assets, poolAssets);
            for (uint256 e = first; e <= staking.currentEpoch(); ++e) {
                assets = 0;
                for (uint256 j; j < 5; ++j) {
                    assets += staking.bucketAssetsOf(operator, e, handler.owners(j));
                }
                (uint256 bucketAssets,) = staking.bucket(operator, e);
                assertLe(assets, bucketAssets);
            }
        }
    }

    /// Everybody has what the model says, but for as many wei as there were roundings; so nobody profits from any order of calls.
    function _everybodyHasWhatTheModelSays(uint256 first) internal view {
        uint256 slack = handler.roundings() + 2;
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            for (uint256 j; j < 5; ++j) {
                address owner = handler.owners(j);
                uint256 model = handler.modelStake(operator, owner) / 1e18;
                assertApproxEqAbs(staking.assetsOf(operator, owner), model, slack);
                for (uint256 e = first; e <= staking.currentEpoch(); ++e) {
                    model = handler.modelBucket(operator, owner, e) / 1e18;
                    assertApproxEqAbs(staking.bucketAssetsOf(operator, e, owner), model, slack);
                }
            }
        }
    }

    /// Weights are what the formula says, and add up to their role's total.
    function _weights() internal view {
        uint256[3] memory totals;
        for (uint256 i; i < 3; ++i) {
            address operator = handler.operators(i);
            Role role = handler.roles(i);
            uint256 own = staking.assetsOf(operator, operator);
            (uint256 weight,) = staking.pool(operator);
            if (weight > 10 * own) weight = 10 * own;
            bool counts = handler.registered(operator) && !staking.isTombstoned(operator);
            if (!counts || own <= staking.minStake(role)) weight = 0;
            assertEq(staking.weightOf(operator), weight);
            totals[uint8(role)] += weight;
        }
        assertEq(staking.totalWeight(Role.None), 0);
        assertEq(staking.totalWeight(Role.Miner), totals[1]);
        assertEq(staking.totalWeight(Role.Coordinator), totals[2]);
    }

    /// What is remembered of an epoch is what stood when it began, whatever happened in it or later.
    function _history(uint256 first) internal view {
        for (uint256 e = first; e <= staking.currentEpoch(); ++e) {
            for (uint256 i; i < 3; ++i) {
                address operator = handler.operators(i);
                assertEq(staking.weightAt(operator, e), handler.weightWhenBegan(operator, e));
            }
            assertEq(staking.totalWeightAt(Role.Miner, e), handler.totalWhenBegan(Role.Miner, e));
            assertEq(staking.totalWeightAt(Role.Coordinator, e), handler.totalWhenBegan(Role.Coordinator, e));
        }
    }

    function _slashesPayWithinBounds() internal view {
        assertLe(handler.totalPaid() * 2, handler.totalSlashed());
        assertEq(cai.totalSupply() + handler.totalSlashed() - handler.totalPaid(), cai.INITIAL_SUPPLY());
    }

    /// Every exit succeeds in the end, and together nobody takes out more than came in and was not slashed.
    function afterInvariant() public {
        _all(FIRST_EPOCH);
        handler.leaveAll();
        _solvent();
        assertLe(cai.balanceOf(address(staking)), handler.roundings(), "dust");
        for (uint256 j; j < 5; ++j) {
            address owner = handler.owners(j);
            assertLe(handler.withdrawn(owner), handler.deposited(owner) + handler.roundings());
        }
    }
}
