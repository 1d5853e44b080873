// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments} from "../utils/BaseTest.sol";

contract CollectManyTest is BaseTest {
    function setUp() public override {
        super.setUp();
        _registerCoordinator(3_000_000e18);
        _fund(coordinator, miner, 100e18);
        _fund(coordinator, alice, 50e18);
    }

    function _signed(address payee, uint256 cumulative) internal view returns (IPayments.SignedVoucher memory) {
        bytes memory signature = _voucher(coordinatorKey, coordinator, payee, cumulative);
        return IPayments.SignedVoucher(coordinator, payee, cumulative, signature);
    }

    function test_collectsSeveral() public {
        IPayments.SignedVoucher[] memory vouchers = new IPayments.SignedVoucher[](3);
        vouchers[0] = _signed(miner, 10e18);
        vouchers[1] = _signed(alice, 60e18);
        vouchers[2] = _signed(miner, 30e18);
        uint256 supply = cai.totalSupply();
        vm.expectEmit(address(payments));
        emit IPayments.Collected(coordinator, miner, 10e18, 0.2e18, 10e18, 10e18, 90e18);
        vm.expectEmit(address(payments));
        emit IPayments.Collected(coordinator, alice, 50e18, 1e18, 60e18, 50e18, 0);
        vm.expectEmit(address(payments));
        emit IPayments.Collected(coordinator, miner, 20e18, 0.4e18, 30e18, 30e18, 70e18);
        assertEq(payments.collectMany(vouchers), 78.4e18);
        assertEq(cai.balanceOf(miner), 29.4e18);
        assertEq(cai.balanceOf(alice), 49e18);
        assertEq(supply - cai.totalSupply(), 1.6e18);
        assertEq(cai.balanceOf(address(payments)), 70e18);
    }

    function test_skipsThoseWithNothingToCollect() public {
        IPayments.SignedVoucher[] memory vouchers = new IPayments.SignedVoucher[](5);
        vouchers[0] = _signed(miner, 10e18);
        // The same again, and an older one.
        vouchers[1] = _signed(miner, 10e18);
        vouchers[2] = _signed(miner, 9e18);
        // Nothing in this channel.
        vouchers[3] = _signed(bob, 10e18);
        vouchers[4] = _signed(alice, 10e18);
        assertEq(payments.collectMany(vouchers), 19.6e18);
        assertEq(payments.collectMany(vouchers), 0);
        assertEq(payments.collectMany(new IPayments.SignedVoucher[](0)), 0);
    }

    /// Of those that are skipped nothing is said; a channel that holds a wei is not skipped.
    function test_saysNothingOfThoseItSkips() public {
        IPayments.SignedVoucher[] memory vouchers = new IPayments.SignedVoucher[](1);
        vouchers[0] = _signed(bob, 10e18);
        vm.recordLogs();
        payments.collectMany(vouchers);
        assertEq(vm.getRecordedLogs().length, 0);
        _fund(coordinator, bob, 1);
        payments.collectMany(vouchers);
        assertEq(payments.channel(coordinator, bob).collected, 1);
    }

    function test_anInvalidOneRevertsAll() public {
        IPayments.SignedVoucher[] memory vouchers = new IPayments.SignedVoucher[](2);
        vouchers[0] = _signed(miner, 10e18);
        vouchers[1] = _signed(alice, 10e18);
        vouchers[1].signature = _voucher(minerKey, coordinator, alice, 10e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.InvalidVoucher.selector, coordinator, alice, 10e18, minerNode));
        payments.collectMany(vouchers);
        // Though there would be nothing to collect.
        vouchers[1] = _signed(alice, 0);
        vouchers[1].signature = "";
        vm.expectRevert(abi.encodeWithSelector(IPayments.InvalidVoucher.selector, coordinator, alice, 0, address(0)));
        payments.collectMany(vouchers);
    }
}
