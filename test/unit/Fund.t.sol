// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BaseTest, IPayments} from "../utils/BaseTest.sol";

contract FundTest is BaseTest {
    function test_addsToTheChannel() public {
        _fund(coordinator, miner, 10e18);
        // Anybody may add to it, the coordinator's node for example.
        _give(alice, address(payments), 5e18);
        vm.expectEmit(address(payments));
        emit IPayments.Funded(coordinator, miner, alice, 5e18, 15e18);
        vm.prank(alice);
        payments.fund(coordinator, miner, 5e18);
        assertEq(payments.channel(coordinator, miner).balance, 15e18);
        assertEq(payments.channel(miner, coordinator).balance, 0);
        assertEq(payments.channel(alice, miner).balance, 0);
        assertEq(cai.balanceOf(address(payments)), 15e18);
    }

    function test_reverts() public {
        vm.expectRevert(IPayments.ZeroAmount.selector);
        payments.fund(coordinator, miner, 0);
        vm.expectRevert(IPayments.ZeroAddress.selector);
        payments.fund(address(0), miner, 1);
        vm.expectRevert(IPayments.ZeroAddress.selector);
        payments.fund(coordinator, address(0), 1);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(payments), 0, 1)
        );
        payments.fund(coordinator, miner, 1);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, uint256(1) << 96));
        payments.fund(coordinator, miner, 1 << 96);
    }
}
