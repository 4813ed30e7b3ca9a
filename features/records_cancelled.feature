@smoke @records @records-cancelled @critical
Feature: Records of cancelled streams
  A cancelled stream is over, and its record shows it in API v1 and API v2.

  Background:
    Given the service is ready
    And the service works on a test network
    And the synthetic user is signed in

  @writes @own-wallet
  Scenario: A cancelled stream is shown as cancelled by API v1 and API v2
    Given a recipient with a funded test account
    And the user has created a stream to the recipient
    And the user has started the stream
    When the user cancels the stream
    Then API v1 and API v2 show the stream as cancelled
