// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments} from "../utils/BaseTest.sol";

contract ThawTest is BaseTest {
    function setUp() public override {
        super.setUp();
        _registerCoordinator(3_000_000e18);
        _fund(coordinator, miner, 100e18);
    }

    function _thaw(uint256 amount) internal {
        vm.prank(coordinator);
        payments.thaw(coordinator, miner, amount);
    }

    function _collect(uint256 cumulative) internal {
        payments.collect(coordinator, miner, cumulative, _voucher(coordinatorKey, coordinator, miner, cumulative));
    }

    function _assertThawing(uint256 amount, uint256 thawsAt) internal view {
        IPayments.Channel memory c = payments.channel(coordinator, miner);
        assertEq(c.thawing, amount);
        assertEq(c.thawsAt, thawsAt);
    }

    function test_paysThePayerAfterThePeriod() public {
        uint256 thawsAt = block.timestamp + THAW;
        vm.expectEmit(address(payments));
        emit IPayments.ThawStarted(coordinator, miner, 60e18, thawsAt);
        _thaw(60e18);
        _assertThawing(60e18, thawsAt);

        vm.warp(thawsAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IPayments.StillThawing.selector, thawsAt, thawsAt - 1));
        payments.withdrawThawed(coordinator, miner);

        vm.warp(thawsAt);
        vm.expectEmit(address(payments));
        emit IPayments.ThawWithdrawn(coordinator, miner, 60e18, 40e18);
        vm.prank(carol);
        assertEq(payments.withdrawThawed(coordinator, miner), 60e18);
        assertEq(cai.balanceOf(coordinator), 60e18);
        assertEq(payments.channel(coordinator, miner).balance, 40e18);
        _assertThawing(0, 0);

        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingThawing.selector, coordinator, miner));
        payments.withdrawThawed(coordinator, miner);
    }

    function test_theNodeMayAskButThePayerIsPaid() public {
        vm.prank(coordinatorNode);
        payments.thaw(coordinator, miner, 60e18);
        vm.warp(block.timestamp + THAW);
        payments.withdrawThawed(coordinator, miner);
        assertEq(cai.balanceOf(coordinator), 60e18);
        assertEq(cai.balanceOf(coordinatorNode), 0);
    }

    function test_aFurtherCallReplacesTheAmountAndBeginsAnew() public {
        _thaw(60e18);
        vm.warp(block.timestamp + THAW - 1);
        _thaw(10e18);
        _assertThawing(10e18, block.timestamp + THAW);
        vm.warp(block.timestamp + 1);
        vm.expectPartialRevert(IPayments.StillThawing.selector);
        payments.withdrawThawed(coordinator, miner);
    }

    function test_collectingGoesOnWhileItThaws() public {
        _thaw(100e18);
        uint256 thawsAt = block.timestamp + THAW;
        _collect(70e18);
        _assertThawing(30e18, thawsAt);
        vm.warp(thawsAt);
        assertEq(payments.withdrawThawed(coordinator, miner), 30e18);
        assertEq(payments.channel(coordinator, miner).balance, 0);
    }

    function test_collectingTakesFirstWhatDoesNotThaw() public {
        _thaw(60e18);
        uint256 thawsAt = block.timestamp + THAW;
        _collect(40e18);
        _assertThawing(60e18, thawsAt);
        _collect(40e18 + 1);
        _assertThawing(60e18 - 1, thawsAt);
        _collect(41e18);
        _assertThawing(59e18, thawsAt);
    }

    function test_fundsThatComeLaterHaveNotThawed() public {
        _thaw(100e18);
        _collect(90e18);
        _fund(coordinator, miner, 100e18);
        vm.warp(block.timestamp + THAW);
        assertEq(payments.withdrawThawed(coordinator, miner), 10e18);
        assertEq(payments.channel(coordinator, miner).balance, 100e18);
    }

    function test_collectingEverythingEndsTheThaw() public {
        _thaw(60e18);
        _collect(100e18);
        _assertThawing(0, 0);
        _fund(coordinator, miner, 5e18);
        vm.warp(block.timestamp + THAW);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingThawing.selector, coordinator, miner));
        payments.withdrawThawed(coordinator, miner);
    }

    function test_othersCannotTouchTheTimer() public {
        _thaw(60e18);
        uint256 thawsAt = block.timestamp + THAW;
        vm.warp(block.timestamp + 1 hours);
        address[3] memory others = [miner, alice, minerNode];
        for (uint256 i; i < others.length; ++i) {
            vm.startPrank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IPayments.Unauthorised.selector, others[i], coordinator));
            payments.thaw(coordinator, miner, 1);
            vm.expectRevert(abi.encodeWithSelector(IPayments.Unauthorised.selector, others[i], coordinator));
            payments.cancelThaw(coordinator, miner);
            vm.stopPrank();
        }
        _fund(coordinator, miner, 1e18);
        _collect(1e18);
        _assertThawing(60e18, thawsAt);
    }

    /// Replacing the node and thawing at once does not make the payee's vouchers void before it could collect.
    function test_replacingTheNodeDoesNotOutrunThePayee() public {
        bytes memory signature = _voucher(coordinatorKey, coordinator, miner, 100e18);
        vm.startPrank(coordinator);
        payments.thaw(coordinator, miner, 100e18);
        registry.setNode(coordinator, "");
        vm.stopPrank();
        vm.warp(block.timestamp + THAW);
        payments.collect(coordinator, miner, 100e18, signature);
        assertEq(cai.balanceOf(miner), 98e18);
    }

    function test_aReplacedNodeMayNotAsk() public {
        (address newNode, uint256 newKey) = makeAddrAndKey("new node");
        bytes memory consent = _consent(coordinator, newNode, newKey);
        vm.prank(coordinator);
        registry.setNode(newNode, consent);
        vm.prank(coordinatorNode);
        vm.expectRevert(abi.encodeWithSelector(IPayments.Unauthorised.selector, coordinatorNode, coordinator));
        payments.thaw(coordinator, miner, 1);
    }

    function test_cancel() public {
        _thaw(60e18);
        vm.expectEmit(address(payments));
        emit IPayments.ThawCancelled(coordinator, miner, 60e18);
        vm.prank(coordinatorNode);
        payments.cancelThaw(coordinator, miner);
        _assertThawing(0, 0);
        vm.prank(coordinator);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingThawing.selector, coordinator, miner));
        payments.cancelThaw(coordinator, miner);
    }

    function test_revertsOnWrongAmounts() public {
        vm.startPrank(coordinator);
        vm.expectRevert(IPayments.ZeroAmount.selector);
        payments.thaw(coordinator, miner, 0);
        vm.expectRevert(abi.encodeWithSelector(IPayments.InsufficientBalance.selector, 100e18, 100e18 + 1));
        payments.thaw(coordinator, miner, 100e18 + 1);
        payments.thaw(coordinator, miner, 100e18);
    }

    function test_aPayerNeedsNoRegistration() public {
        _fund(alice, miner, 10e18);
        vm.prank(alice);
        payments.thaw(alice, miner, 10e18);
        vm.warp(block.timestamp + THAW);
        payments.withdrawThawed(alice, miner);
        assertEq(cai.balanceOf(alice), 10e18);
    }
}
