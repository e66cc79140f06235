// SPDX-License-Identifier: Apache-2.0
// Opens partition directories as a broker of Kafka does at its start, and reads each to its end.
// Arguments: clean|unclean, then DIRECTORY=RECOVERY_POINT for each. Prints `DIRECTORY END RECORDS`,
// a line each.
import java.io.File;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.storage.log.FetchIsolation;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class OpenLog
{
	private static final int DAY_MS = 86400000;
	private static final int READ_BYTES = 1 << 20;

	private static String
	readAll(UnifiedLog log) throws Exception
	{
		long at = log.logStartOffset();
		long records = 0;

		while (at < log.logEndOffset()) {
			long from = at;

			for (var batch : log.read(from, READ_BYTES, FetchIsolation.LOG_END, true)
						 .records.batches()) {
				batch.ensureValid();
				if (batch.nextOffset() > at) {
					records += batch.nextOffset() -
						   Math.max(at, batch.baseOffset());
					at = batch.nextOffset();
				}
			}
			if (at == from) {
				throw new IllegalStateException("nothing at offset " + at);
			}
		}
		return log.logEndOffset() + " " + records;
	}

	public static void main(String[] args) throws Exception
	{
		KafkaScheduler scheduler = new KafkaScheduler(1);

		scheduler.startup();
		for (int i = 1; i < args.length; i++) {
			String[] words = args[i].split("=");
			UnifiedLog log = UnifiedLog.create(new File(words[0]),
				new LogConfig(new Properties()), 0, Long.parseLong(words[1]),
				scheduler, new BrokerTopicStats(), Time.SYSTEM, DAY_MS,
				new ProducerStateManagerConfig(DAY_MS, false), DAY_MS,
				new LogDirFailureChannel(4), args[0].equals("clean"),
				Optional.empty());

			System.out.println(words[0] + " " + readAll(log));
			log.close();
		}
		scheduler.shutdown();
		System.exit(0);
	}
}
