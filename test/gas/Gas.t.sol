// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments, Role} from "../utils/BaseTest.sol";

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
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, carol, 100e18);
        _snap("slash, pool and 3 buckets, reward and burn");
    }

    function test_gas_payments() public {
        _registerCoordinator(3_000_000e18);
        _fund(coordinator, miner, 100e18);
        _snap("fund a channel, first");
        _fund(coordinator, miner, 100e18);
        _snap("fund a channel, next");
        payments.collect(coordinator, miner, 1e18, _voucher(coordinatorKey, coordinator, miner, 1e18));
        _snap("collect, first");
        payments.collect(coordinator, miner, 2e18, _voucher(coordinatorKey, coordinator, miner, 2e18));
        _snap("collect, next");
        IPayments.SignedVoucher[] memory ten = new IPayments.SignedVoucher[](10);
        for (uint256 i; i < 10; ++i) {
            address payee = makeAddr(vm.toString(i));
            _fund(coordinator, payee, 10e18);
            cai.transfer(payee, 1);
            bytes memory signature = _voucher(coordinatorKey, coordinator, payee, 1e18);
            ten[i] = IPayments.SignedVoucher(coordinator, payee, 1e18, signature);
        }
        payments.collectMany(ten);
        _snap("collectMany, 10 payees");
        vm.prank(coordinator);
        payments.thaw(coordinator, miner, 10e18);
        _snap("thaw");
        vm.warp(block.timestamp + THAW);
        payments.withdrawThawed(coordinator, miner);
        _snap("withdrawThawed");
    }

    function test_gas_sizes() public {
        vm.snapshotValue("sizes", "CAI", address(cai).code.length);
        vm.snapshotValue("sizes", "Faucet", address(faucet).code.length);
        vm.snapshotValue("sizes", "Lens", address(lens).code.length);
        vm.snapshotValue("sizes", "Payments", address(payments).code.length);
        vm.snapshotValue("sizes", "Registry", address(registry).code.length);
        vm.snapshotValue("sizes", "Staking", address(staking).code.length);
    }
}
