// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IRegistry} from "../utils/BaseTest.sol";

contract SetNodeTest is BaseTest {
    address internal newNode;
    uint256 internal newKey;

    function setUp() public override {
        super.setUp();
        (newNode, newKey) = makeAddrAndKey("new node");
        _registerMiner(30_000e18);
        vm.warp(block.timestamp + 5 hours);
    }

    function _setNode(address node, bytes memory consent) internal {
        vm.prank(miner);
        registry.setNode(node, consent);
    }

    function test_replacesTheNode() public {
        bytes memory consent = _consent(miner, newNode, newKey);
        vm.expectEmit(address(registry));
        emit IRegistry.NodeSet(miner, newNode, minerNode, block.timestamp);
        _setNode(newNode, consent);
        assertEq(registry.nodeOf(miner), newNode);
        assertEq(registry.operatorOf(newNode), miner);
        assertEq(registry.operatorOf(minerNode), miner);
        assertEq(registry.retiredAt(newNode), 0);
        assertEq(registry.retiredAt(minerNode), block.timestamp);
    }

    function test_theOldOneIsLiableUntilItsGraceEnds() public {
        uint256 retiredAt = block.timestamp;
        _setNode(newNode, _consent(miner, newNode, newKey));
        assertTrue(registry.isLiable(miner, minerNode, retiredAt + GRACE));
        assertFalse(registry.isLiable(miner, minerNode, retiredAt + GRACE + 1));
        assertTrue(registry.isLiable(miner, newNode, retiredAt + GRACE + 1));
    }

    function test_nobodyIsLiableForOthers() public view {
        assertFalse(registry.isLiable(alice, minerNode, 0));
        assertFalse(registry.isLiable(miner, newNode, 0));
        assertFalse(registry.isLiable(address(0), newNode, 0));
    }

    function test_aFormerNodeComesBack() public {
        _setNode(newNode, _consent(miner, newNode, newKey));
        _setNode(minerNode, _consent(miner, minerNode, minerKey));
        assertEq(registry.retiredAt(minerNode), 0);
        assertEq(registry.retiredAt(newNode), block.timestamp);
        assertEq(registry.nodeOf(miner), minerNode);
    }

    function test_toTheOperatorItself() public {
        _setNode(miner, "");
        assertEq(registry.nodeOf(miner), miner);
    }

    function test_revertsOnTheSameNode() public {
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeUnchanged.selector, minerNode));
        _setNode(minerNode, consent);
    }

    function test_revertsWithoutConsent() public {
        bytes memory consent = _consent(alice, newNode, newKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidConsent.selector, miner, newNode));
        _setNode(newNode, consent);
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        _setNode(address(0), consent);
    }

    function test_revertsOnAnothersNode() public {
        _registerCoordinator(3_000_000e18);
        bytes memory consent = _consent(miner, coordinatorNode, coordinatorKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeTaken.selector, coordinatorNode, coordinator));
        _setNode(coordinatorNode, consent);
    }

    function test_revertsForStrangersAndTheRetired() public {
        bytes memory consent = _consent(alice, newNode, newKey);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotRegistered.selector, alice));
        registry.setNode(newNode, consent);
        vm.prank(miner);
        registry.retire();
        consent = _consent(miner, newNode, newKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotRegistered.selector, miner));
        _setNode(newNode, consent);
    }
}
