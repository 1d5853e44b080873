// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMiningRewards, IPayments, PaymentsTest, Role} from "../utils/PaymentsTest.sol";

/// @dev As GasTest: whole transactions, isolated, the 21,000 included. Epochs are of one day, so "first of the epoch" is what the first collection of a
/// day, here, costs; every other one of these needs no new slot.
/// forge-config: default.isolate = true
contract PaymentsGasTest is PaymentsTest {
    function _snap(string memory name) internal {
        vm.snapshotGasLastCall("payments", name);
    }

    function test_gas_collect() public {
        _fund(coordinator, miner, 100e18);
        _snap("fund a channel, first");
        _fund(coordinator, miner, 100e18);
        _snap("fund a channel, next");
        _collect(miner, 1e18);
        _snap("collect, first ever");
        _collect(miner, 2e18);
        _snap("collect, repeated");
        _nextEpoch(1);
        _collect(miner, 3e18);
        _snap("collect, first of a coordinator's epoch");
        _nextEpoch(1);
        _fund(coordinator, other, 1e18);
        _collect(other, 1e18);
        _collect(miner, 4e18);
        _snap("collect, first of a pair's epoch");
        vm.prank(coordinator);
        payments.thaw(coordinator, miner, 10e18);
        _snap("thaw");
        _collect(miner, 5e18);
        _snap("collect while it thaws");
        vm.warp(block.timestamp + THAW);
        payments.withdrawThawed(coordinator, miner);
        _snap("withdrawThawed");
    }

    function test_gas_collectMany() public {
        address[] memory payees = new address[](10);
        for (uint256 i; i < 10; ++i) {
            payees[i] = makeAddr(vm.toString(i));
            _register(payees[i], Role.Miner, 30_000e18);
            _fund(coordinator, payees[i], 10e18);
            cai.transfer(payees[i], 1);
        }
        _nextEpoch(1);
        payments.collectMany(_vouchers(payees, 1e18));
        _snap("collectMany, 10 payees, first ever");
        payments.collectMany(_vouchers(payees, 2e18));
        _snap("collectMany, 10 payees, repeated");
    }

    function _vouchers(address[] memory payees, uint256 cumulative)
        internal
        view
        returns (IPayments.SignedVoucher[] memory vouchers)
    {
        vouchers = new IPayments.SignedVoucher[](payees.length);
        for (uint256 i; i < payees.length; ++i) {
            bytes memory signature = _sig(payees[i], cumulative);
            vouchers[i] = IPayments.SignedVoucher(coordinator, payees[i], cumulative, signature);
        }
    }

    function test_gas_backing() public {
        _setBacking(BACKING);
        _snap("setBacking, first");
        _setBacking(BACKING / 2);
        _snap("setBacking, lower");
        _setBacking(BACKING);
        _fund(coordinator, miner, 1e18);
        _notify(miner, 10e18);
        _snap("notify");
        vm.warp(block.timestamp + NOTICE);
        _enforce(miner, 10e18);
        _snap("enforce, from channel and backing");
        _notify(miner, 20e18);
        _fund(coordinator, miner, 10e18);
        vm.warp(block.timestamp + NOTICE);
        _enforce(miner, 20e18);
        _snap("enforce, cured");
    }

    function test_gas_mining() public {
        IMiningRewards mining = _deployMining(staking.currentEpoch(), 208);
        cai.approve(address(mining), 2e24);
        mining.fund(1e24);
        _snap("mining: fund, first");
        _fund(coordinator, miner, 100e18);
        _nextEpoch(1);
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 10; ++i) {
            _collect(miner, (i + 1) * 1e18);
            _nextEpoch(1);
        }
        mining.claim(epoch, coordinator, miner);
        _snap("mining: claim, first of a pair");
        mining.claim(epoch + 1, coordinator, miner);
        _snap("mining: claim, next");
        mining.recycle(epoch);
        _snap("mining: recycle");
        IMiningRewards.Claim[] memory claims = new IMiningRewards.Claim[](8);
        for (uint256 i; i < 8; ++i) {
            claims[i] = IMiningRewards.Claim(epoch + 2 + i, coordinator, miner);
        }
        mining.claimMany(claims);
        _snap("mining: claimMany, 8 epochs");
        vm.snapshotValue("payments-sizes", "Payments", address(payments).code.length);
        vm.snapshotValue("payments-sizes", "MiningRewards", address(mining).code.length);
    }
}
