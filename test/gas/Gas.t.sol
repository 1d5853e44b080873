// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, Role} from "../utils/BaseTest.sol";

/// @dev Gas of whole transactions, the 21,000 included, as a user pays them: each call is isolated, so slots are cold.
/// Written to test/gas/snapshots/, where a change shows up in a review; `FORGE_SNAPSHOT_CHECK=true forge test` fails on any.
/// forge-config: default.isolate = true
contract GasTest is BaseTest {
    function _snap(string memory name) internal {
        vm.snapshotGasLastCall("gas", name);
    }

    /// Behind an operator without a role: what staking costs before weights come in.
    function test_gas_staking() public {
        _delegate(miner, miner, 1e18);
        _delegate(miner, alice, 100e18);
        _snap("delegate, new");
        _delegate(miner, alice, 100e18);
        _snap("delegate, top-up");
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("undelegate, first of the epoch");
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("undelegate, repeated");
        _delegate(miner, bob, 100e18);
        _undelegate(miner, bob, 10e18 * FIRST);
        _cancel(miner, bob, epoch);
        _snap("cancel an undelegation");
        _undelegate(miner, bob, 10e18 * FIRST);
        _nextEpoch(3);
        staking.withdraw(miner, epoch, alice);
        _snap("withdraw");
    }

    /// Behind a miner: weights of the operator and of the role are written, once an epoch anew.
    function test_gas_stakingWithWeight() public {
        _delegate(miner, miner, 30_000e18);
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.prank(miner);
        registry.register(Role.Miner, minerNode, "", "a miner with some words about itself", consent);
        _snap("register a miner");
        _nextEpoch(1);
        _delegate(miner, alice, 100e18);
        _snap("delegate with weight, new, first of the epoch");
        _delegate(miner, bob, 100e18);
        _snap("delegate with weight, new");
        _delegate(miner, bob, 100e18);
        _snap("delegate with weight, top-up");
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("undelegate with weight, first of the epoch");
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("undelegate with weight, repeated");
        vm.prank(miner);
        registry.retire();
        _snap("retire");
    }

    function test_gas_slash() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 100e18);
        for (uint256 i; i < 3; ++i) {
            _undelegate(miner, alice, 10e18 * FIRST);
            if (i < 2) _nextEpoch(1);
        }
        _slash(miner, 0.1e18, carol, 100e18);
        _snap("slash, pool and 3 buckets, reward and burn");
    }

    /// As it is from the tenth epoch on: rings are full, and every number that is written has been written before.
    /// Rewards come due, so that the next verb has some to pay in.
    function _later() private {
        vm.warp(block.timestamp + 100);
    }

    function test_gas_steadyState() public {
        _steady();
        uint256 epoch = staking.currentEpoch();
        _delegate(miner, alice, 100e18);
        _snap("steady: delegate with weight, top-up, first of the epoch");
        _later();
        _delegate(miner, alice, 100e18);
        _snap("steady: delegate with weight, top-up");
        _later();
        _delegate(miner, makeAddr("new"), 100e18);
        _snap("steady: delegate with weight, new");
        _later();
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("steady: undelegate with weight, first of the bucket");
        _later();
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("steady: undelegate with weight, repeated");
        _later();
        _cancel(miner, alice, epoch);
        _snap("steady: cancel an undelegation");
        _later();
        staking.accrue(miner);
        _snap("steady: accrue");
        _nextEpoch(1);
        staking.accrue(miner);
        _snap("steady: accrue, first of the epoch");
        staking.withdraw(miner, staking.currentEpoch() - 3, alice);
        _snap("steady: withdraw");
    }

    function test_gas_steadyStateUndelegateFirst() public {
        _steady();
        _undelegate(miner, alice, 10e18 * FIRST);
        _snap("steady: undelegate with weight, first of the epoch");
    }

    function test_gas_steadyStateSlash() public {
        _steady();
        _undelegate(miner, alice, 10e18 * FIRST);
        _slash(miner, 0.1e18, carol, 100e18);
        _snap("steady: slash, pool and 3 buckets, reward and burn");
        _slash(miner, 0.1e18, carol, 100e18);
        _snap("steady: slash again, pool and 3 buckets, reward and burn");
    }

    /// Of a dispute: hold, withdrawals meanwhile, its end either way.
    function test_gas_disputes() public {
        _steady();
        uint256 epoch = _hold(miner, 0.1e18);
        _snap("hold, first");
        _hold(miner, 0.1e18);
        _snap("hold, another in the epoch");
        _undelegate(miner, alice, 10e18 * FIRST);
        _nextEpoch(3);
        vm.prank(alice);
        staking.withdraw(miner, epoch, alice);
        _snap("withdraw while held");
        _release(miner, 0.1e18, epoch);
        _snap("release");
        vm.prank(alice);
        staking.withdraw(miner, epoch, alice);
        _snap("withdraw while held, again");
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 1 days, carol, 100e18);
        _snap("slash under a hold, pool and 6 epochs, jail, reward and burn");
        staking.withdraw(miner, epoch, alice);
        _snap("withdraw what was held");
        vm.warp(block.timestamp + 1 days);
        vm.prank(miner);
        staking.unjail();
        _snap("unjail");
    }

    function test_gas_operators() public {
        _steady();
        _fundRewards(1e24);
        _snap("fund rewards");
        vm.prank(miner);
        staking.setCommission(0.1e18);
        _snap("announce a commission");
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        _snap("apply a commission");
        vm.prank(miner);
        staking.setCommission(0.05e18);
        _snap("cut a commission");
        vm.prank(address(payments));
        staking.payFromOwn(miner, 1e18, carol);
        _snap("pay from own stake");
        vm.prank(address(payments));
        staking.payFromOwn(miner, 1e18, carol);
        _snap("pay from own stake, again");
        vm.prank(address(payments));
        staking.jail(miner, 1 days);
        _snap("jail");
    }

    /// @dev Ten epochs with changes in each of weights, buckets and rewards; ends in the second hour of a new one.
    function _steady() internal {
        _registerMiner(30_000e18);
        _registerCoordinator(3_000_000e18);
        _fundRewards(1e26);
        _delegate(miner, alice, 1000e18);
        for (uint256 i; i < 10; ++i) {
            _delegate(miner, alice, 100e18);
            _undelegate(miner, alice, 10e18 * FIRST);
            _delegate(coordinator, bob, 1e18);
            _nextEpoch(1);
            vm.warp(block.timestamp + 1 hours);
        }
    }

    function test_gas_sizes() public {
        vm.snapshotValue("sizes", "CAI", address(cai).code.length);
        vm.snapshotValue("sizes", "Faucet", address(faucet).code.length);
        vm.snapshotValue("sizes", "Lens", address(lens).code.length);
        vm.snapshotValue("sizes", "Registry", address(registry).code.length);
        vm.snapshotValue("sizes", "Staking", address(staking).code.length);
    }
}
