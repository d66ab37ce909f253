import java.net.InetAddress;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * Runs DynamoDB Local in memory, on a free port of the loopback interface, until standard input ends.
 *
 * <p>DynamoDB Local's main class listens on every interface, on a port that another process may take first. This class
 * prints the port once DynamoDB Local answers requests.
 */
public final class Loopback {
  public static void main(String[] arguments) throws Exception {
    String[] options = {"-inMemory", "-sharedDb", "-disableTelemetry"};
    DynamoDBProxyServer dynamodb = ServerRunner.createServerFromCommandLineArgs(options);
    var field = DynamoDBProxyServer.class.getDeclaredField("server");
    field.setAccessible(true);
    var connector = (ServerConnector) ((Server) field.get(dynamodb)).getConnectors()[0];
    connector.setHost(InetAddress.getLoopbackAddress().getHostAddress());
    connector.setPort(0);
    dynamodb.start();
    System.out.println("port " + connector.getLocalPort());
    while (System.in.read() >= 0) {}
    dynamodb.stop();
    System.exit(0);
  }
}
