// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IFaucet} from "../utils/BaseTest.sol";

/// Takes its coin, and asks for more while it is at it.
contract Greedy {
    IFaucet internal immutable faucet;
    bytes public answer;

    constructor(IFaucet faucet_) {
        faucet = faucet_;
    }

    receive() external payable {
        (, answer) = address(faucet).call(abi.encodeCall(IFaucet.drip, ()));
    }
}

contract Refuser {}

contract Burner {
    receive() external payable {
        while (true) {}
    }
}

contract FaucetTest is BaseTest {
    function setUp() public override {
        super.setUp();
        cai.transfer(address(faucet), 3 * DRIP);
    }

    function test_dripsOnceACooldown() public {
        vm.expectEmit(address(faucet));
        emit IFaucet.Dripped(alice, alice, DRIP, 0);
        vm.prank(alice);
        faucet.drip();
        assertEq(cai.balanceOf(alice), DRIP);
        uint256 next = block.timestamp + COOLDOWN;
        assertEq(faucet.availableAt(alice), next);

        vm.warp(next - 1);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IFaucet.CoolingDown.selector, alice, next));
        faucet.drip();
        vm.expectRevert(abi.encodeWithSelector(IFaucet.CoolingDown.selector, alice, next));
        faucet.dripTo(alice);
        vm.warp(next);
        vm.prank(alice);
        faucet.drip();
        assertEq(cai.balanceOf(alice), 2 * DRIP);
    }

    function test_relaysWithGas() public {
        vm.deal(bob, 1 ether);
        vm.expectEmit(address(faucet));
        emit IFaucet.Dripped(alice, bob, DRIP, 0.1 ether);
        vm.prank(bob);
        faucet.dripTo{value: 0.1 ether}(alice);
        assertEq(alice.balance, 0.1 ether);
        assertEq(cai.balanceOf(alice), DRIP);
        assertEq(faucet.availableAt(bob), 0, "the relayer's own drip is untouched");
    }

    function test_revertsWhenEmpty() public {
        address[3] memory all = [alice, bob, carol];
        for (uint256 i; i < 3; ++i) {
            faucet.dripTo(all[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(IFaucet.FaucetEmpty.selector, 0, DRIP));
        faucet.dripTo(miner);
    }

    function test_revertsOnTheZeroAddress() public {
        vm.expectRevert(IFaucet.ZeroAddress.selector);
        faucet.dripTo(address(0));
    }

    function test_aHostileReceiverGetsNothingMore() public {
        Greedy greedy = new Greedy(faucet);
        faucet.dripTo{value: 1}(address(greedy));
        assertEq(cai.balanceOf(address(greedy)), DRIP);
        bytes memory refusal =
            abi.encodeWithSelector(IFaucet.CoolingDown.selector, address(greedy), block.timestamp + COOLDOWN);
        assertEq(greedy.answer(), refusal);
    }

    function test_revertsWhenTheGasIsRefused() public {
        address refuser = address(new Refuser());
        vm.expectRevert(abi.encodeWithSelector(IFaucet.GasTransferFailed.selector, refuser, 1));
        faucet.dripTo{value: 1}(refuser);
        faucet.dripTo(refuser);
        assertEq(cai.balanceOf(refuser), DRIP);
    }

    function test_aReceiverCannotBurnTheRelayersGas() public {
        address burner = address(new Burner());
        uint256 before = gasleft();
        vm.expectRevert(abi.encodeWithSelector(IFaucet.GasTransferFailed.selector, burner, 1));
        faucet.dripTo{value: 1}(burner);
        assertLt(before - gasleft(), 300_000);
    }
}
